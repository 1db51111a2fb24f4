import subprocess
import sys

LANGUAGE = ("codes", "emde", "encoders", "finetuning", "token_vectors", "tweets")
MODULES = ("machine.precision", *(f"language.{name}" for name in LANGUAGE))
HEAVY = {"torch", "transformers", "accelerate", "safetensors"}


def test_what_the_definitions_may_import_loads_nothing_heavy() -> None:
    imports = ", ".join(f"engage_pipeline.{name}" for name in MODULES)
    check = f"import sys, {imports}; assert not {HEAVY} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", check], check=True)
