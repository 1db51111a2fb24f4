import subprocess
import sys

MODULES = ("codes", "emde", "encoders", "finetuning", "processor", "token_vectors", "tweets")
HEAVY = {"torch", "transformers", "accelerate", "safetensors"}


def test_what_the_definitions_may_import_loads_nothing_heavy() -> None:
    imports = ", ".join(f"engage_pipeline.language.{name}" for name in MODULES)
    check = f"import sys, {imports}; assert not {HEAVY} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", check], check=True)
