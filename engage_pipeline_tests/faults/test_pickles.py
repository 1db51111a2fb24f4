"""Pickles offered as encoder, checkpoint or model: refused and never executed. Only safetensors and text are loaded."""

import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch  # noqa: TID253 - pickles as torch writes them

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoders import CONFIG, WEIGHTS, load_encoder, save_encoder, starting_encoder, step_file
from engage_pipeline.language.resume import History, load_state, save_state
from engage_pipeline.model.bundle import TrainedModel, build_bundle
from engage_pipeline.model.network.checkpoint import CHECKPOINT_FILE, load_checkpoint
from engage_pipeline_tests.faults.opened import audited
from engage_pipeline_tests.language.corpora import encoder_settings, small_encoder
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings
from engage_pipeline_tests.samples import feature_table

EXECUTED = "executed"


class Payload:
    """Leaves a file where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.folder / EXECUTED), "w")


def plain(path: Path, folder: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": Payload(folder)}))


def torch_zip(path: Path, folder: Path) -> None:
    torch.save({"weight": Payload(folder)}, path)


def torch_legacy(path: Path, folder: Path) -> None:
    torch.save({"weight": Payload(folder)}, path, _use_new_zipfile_serialization=False)


PICKLES = [plain, torch_zip, torch_legacy]
each_pickle = pytest.mark.parametrize("write", PICKLES)


@pytest.fixture
def nothing_is_executed(tmp_path: Path) -> Iterator[None]:
    yield
    assert not (tmp_path / EXECUTED).exists()


pytestmark = pytest.mark.usefixtures("nothing_is_executed")


@each_pickle
def test_the_payload_works_where_it_is_unpickled(tmp_path: Path, write: Callable[[Path, Path], None]) -> None:
    write(tmp_path / "pickle", tmp_path)
    if write is plain:
        pickle.loads((tmp_path / "pickle").read_bytes())["weight"].close()  # noqa: S301 - it is what is tested
    else:
        torch.load(tmp_path / "pickle", weights_only=False)["weight"].close()
    (tmp_path / EXECUTED).unlink()


@each_pickle
def test_an_encoder_of_pickled_weights(tmp_path: Path, write: Callable[[Path, Path], None]) -> None:
    folder = small_encoder(tmp_path / "encoder")
    (folder / WEIGHTS).unlink()
    write(folder / "pytorch_model.bin", tmp_path)
    with pytest.raises(UserError, match=r"encoder\.model: .*pickled weights are refused"):
        starting_encoder(encoder_settings(tmp_path, folder))


@each_pickle
def test_a_pickle_called_safetensors(tmp_path: Path, write: Callable[[Path, Path], None]) -> None:
    folder = small_encoder(tmp_path / "encoder")
    write(folder / WEIGHTS, tmp_path)
    with pytest.raises(UserError, match=r"encoder\.model: .*can't be loaded"):
        starting_encoder(encoder_settings(tmp_path, folder))
    with pytest.raises(UserError, match=r"model\.safetensors: not the weights of this encoder"):
        load_encoder(folder)
    write(folder / step_file(5), tmp_path)
    with pytest.raises(UserError, match=r"step-5\.safetensors: not the weights of this encoder"):
        load_encoder(folder, 5)


def test_a_pickle_beside_safetensors_is_not_opened(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        plain(folder / name, tmp_path)
    with audited() as events:
        starting_encoder(encoder_settings(tmp_path, folder))
        load_encoder(folder)
    opened = [event for event in events if event.startswith("open ") and str(folder) in event]
    assert any(CONFIG in event for event in opened)
    assert not [event for event in opened if event.endswith((".bin", ".pt", ".pth"))]


def test_code_beside_an_encoder_is_not_run(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    text = (folder / CONFIG).read_text(encoding="utf-8").rstrip().removesuffix("}")
    mapped = '"auto_map": {"AutoConfig": "evil.Config", "AutoModelForMaskedLM": "evil.Model"}'
    (folder / CONFIG).write_text(f"{text}, {mapped}}}", encoding="utf-8")
    (folder / "evil.py").write_text(f"open({str(tmp_path / EXECUTED)!r}, 'w')\nclass Config: ...\nclass Model: ...\n")
    starting_encoder(encoder_settings(tmp_path, folder))
    load_encoder(folder)


@each_pickle
@pytest.mark.parametrize("name", [WEIGHTS, "optimizer.safetensors", "history.json"])
def test_a_state_of_an_unfinished_encoder(tmp_path: Path, write: Callable[[Path, Path], None], name: str) -> None:
    model = load_encoder(small_encoder(tmp_path / "encoder"))
    optimizer = torch.optim.AdamW(model.parameters())
    save_state(tmp_path, 7, model, optimizer, History(1.0))
    assert load_state(tmp_path / "resume-7", model, optimizer) == (7, History(1.0))
    write(tmp_path / "resume-7" / name, tmp_path)
    with pytest.raises(UserError, match=r"resume-7.*: not (a state of this fine-tuning|the weights of this encoder)"):
        load_state(tmp_path / "resume-7", model, optimizer)


@each_pickle
def test_a_checkpoint_of_a_network(tmp_path: Path, write: Callable[[Path, Path], None]) -> None:
    network = torch.nn.Linear(2, 2)
    write(tmp_path / CHECKPOINT_FILE, tmp_path)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: not a checkpoint of this network"):
        load_checkpoint(tmp_path, network, torch.optim.AdamW(network.parameters()))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    chosen = quiet_settings(folder)
    inputs = make_inputs(feature_table(1500, 3, validation=True), folder / "inputs", chosen)
    (folder / "model").mkdir()
    build_bundle(folder / "model", **inputs, settings=chosen)
    return folder / "model"


@each_pickle
def test_every_file_of_a_model(tmp_path: Path, bundle: Path, write: Callable[[Path, Path], None]) -> None:
    names = sorted(path.name for path in bundle.iterdir())
    assert {"finetuned_network.safetensors", "codes.parquet", "blend.json", "trees_like.txt"} <= set(names)
    for name in names:
        model = tmp_path / f"with {name}"
        shutil.copytree(bundle, model)
        write(model / name, tmp_path)
        with pytest.raises(UserError, match=r"not (a|the) "):
            TrainedModel.load(model, 1, decided=name.startswith("decided"))


def test_an_encoder_is_published_without_pickles(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    save_encoder(load_encoder(small_encoder(tmp_path / "encoder")), tmp_path / "out")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".safetensors"}
