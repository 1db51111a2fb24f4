"""Mutations of the plots: where values lie, which words stand there, and what is left out."""

from engage_pipeline_tests.mutants.mutation import mutations

AXES, PLOTS, SCALES = "plots/test_axes.py", "plots/test_plots.py", "plots/test_scales.py"

MUTATIONS = [
    *mutations(
        "plots",
        "plots/svg.py",
        "plots/test_svg.py",
        ('_NOT_XML.sub("\\ufffd", words)', "words"),
        ("round(value, 1) + 0.0", "round(value, 1)"),
        ("_LETTER, _WIDE_LETTER = 0.6, 1.1", "_LETTER, _WIDE_LETTER = 0.4, 1.1", PLOTS),
    ),
    *mutations(
        "plots",
        "plots/scales.py",
        SCALES,
        ("math.log(low), math.log(high)", "low, high"),
        ("low if low == edge else low - margin", "low - margin"),
        ("if last - first < most:", "if last - first <= most:"),
        ("{100 * value:.10g} %", "{100 * value:.2g} %"),
    ),
    *mutations(
        "plots",
        "plots/axes.py",
        AXES,
        ('("M", x, y) if broken', '("M", x, y) if not parts'),
        ("self.x.edge = self.y.edge = 0", "self.x.edge = self.y.edge = None"),
        ("        if name:\n", "        if True:\n", PLOTS),
        ("named[:: math.ceil(", "named[:: 1 + 0 * math.ceil(", PLOTS),
    ),
    *mutations(
        "plots",
        "plots/panel.py",
        AXES,
        ("self.right_scale if mark.on_right else self.y", "self.y"),
        ("self.left + float(self.x(value))", "float(self.x(value))"),
        ("if fits else self.middle", "if True else self.middle", PLOTS),
    ),
    *mutations(
        "plots", "plots/figure.py", PLOTS, ("    if keys:\n        bottom", "    if len(keys) > 1:\n        bottom")
    ),
    *mutations("plots", "plots/style.py", "plots/test_style.py", ("{both[i]}", "{both[0]}")),
    *mutations("plots", "plots/bars.py", AXES, ("unscored -= {", "unscored = {")),
    *mutations("plots", "plots/drift.py", AXES, ("PALETTE[begin >= 1]", "PALETTE[0]"), ("start = end", "start = 0")),
    *mutations("plots", "plots/quality.py", AXES, ("steps=True", "steps=False"), ("_Z95 = 1.96", "_Z95 = 1.6")),
]
