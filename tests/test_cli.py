"""The command line over a core without engines: output, files, exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import fake_core
from vocabseg import __version__, cli
from vocabseg import segmenter as segmenter_module
from vocabseg.cli import main, sources, terminal
from vocabseg.cli import segment as segment_command
from vocabseg.vocabulary import Vocabulary

WORDS = "road; car, truck, van; sky"


@pytest.fixture(autouse=True)
def fake(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(segmenter_module, "load_core", fake_core.module)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bundle(tmp_path) -> str:
    return str(fake_core.make_bundle(tmp_path / "bundle"))


@pytest.fixture
def photo(tmp_path) -> str:
    return save(tmp_path / "photo.png")


def save(path: Path, width: int = 40) -> str:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((20, width, 3), 90, np.uint8)).save(path)
    return str(path)


def document(capsys) -> dict:
    """The one JSON document on standard output."""
    return json.loads(capsys.readouterr().out)


def usage_error(*arguments: str) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2


def test_one_picture(bundle, photo, capsys, tmp_path) -> None:
    command = ["segment", photo, WORDS, "--bundle", bundle, "--out", "labels.png", "--overlay", "overlay.png"]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert np.asarray(Image.open("labels.png"))[0, 39] == 1
    assert Image.open("overlay.png").height > 20
    for text in ("photo.png", "40 x 20", "car", "75.0 %", "0.750", "preprocess", "total", "fake-cpu float32"):
        assert text in output
    assert "wrote labels.png\nwrote overlay.png" in output
    assert "1 of 3 classes not found" in output


def test_lines_fit_80_columns(bundle, tmp_path, capsys) -> None:
    photo = save(tmp_path / f"{'long' * 30}.png")
    words = f"road; {'very ' * 40}long"
    assert main(["segment", photo, words, "--bundle", bundle]) == 0
    assert main(["segment", photo, photo, words, "--bundle", bundle]) == 0
    assert all(terminal.text_width(line) <= 80 for line in capsys.readouterr().out.splitlines())


def test_options_of_the_engine(bundle, photo, capsys, monkeypatch) -> None:
    opened = []

    class Recorded(fake_core.Segmenter):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            opened.append((arguments[1], self.engines, self.allow_smaller_batch))

    core = fake_core.module()
    core.Segmenter = Recorded
    monkeypatch.setattr(segmenter_module, "load_core", lambda: core)
    options = ["--bundle", bundle, "--backend", "tensorrt", "--engines", "/mine", "--allow-smaller-batch"]
    assert main(["segment", photo, WORDS, *options]) == 0
    assert main(["vocab", "build", WORDS, "--out", "v.safetensors", *options]) == 0
    assert main(["segment", photo, WORDS, "--bundle", bundle]) == 0
    assert opened == [("tensorrt", "/mine", True)] * 2 + [("auto", "", False)]


def test_words_may_follow_options(bundle, photo, capsys) -> None:
    assert main(["segment", photo, "--bundle", bundle, "--json", WORDS]) == 0
    assert document(capsys)["images"][0]["names"] == ["road", "car", "sky"]
    assert main(["segment", photo, "--words", WORDS, "--bundle", bundle, "--json"]) == 0
    assert document(capsys)["images"][0]["areas"]["car"] == {"pixels": 600, "share": 0.75, "score": 0.75}


def test_words_from_files_and_lists(bundle, photo, capsys, tmp_path) -> None:
    Path("words.txt").write_text("road\ncar, van\n")
    assert main(["segment", photo, "words.txt", "--bundle", bundle, "--json"]) == 0
    assert document(capsys)["images"][0]["names"] == ["road", "car"]
    assert main(["segment", photo, "cityscapes", "--bundle", bundle, "--json", "--templates", "photo"]) == 0
    assert len(document(capsys)["images"][0]["names"]) == 19


def test_no_words(bundle, photo) -> None:
    usage_error("segment", photo, "--bundle", bundle)
    usage_error("segment", WORDS, "--bundle", bundle)
    usage_error("segment")


def test_sample(bundle, capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(segment_command, "sample", lambda: save(tmp_path / "sample.png"))
    assert main(["segment", "--sample", "--bundle", bundle, "--json", WORDS]) == 0
    assert document(capsys)["images"][0]["image"].endswith("sample.png")


def test_several_pictures_and_folders(bundle, tmp_path, capsys) -> None:
    save(tmp_path / "in" / "b.png")
    save(tmp_path / "in" / "a.jpg", width=60)
    (tmp_path / "in" / "notes.md").write_text("")
    one = save(tmp_path / "other" / "b.png")
    command = [
        "segment",
        "in",
        one,
        WORDS,
        "--bundle",
        bundle,
        "--out",
        "out",
        "--overlay",
        "out",
        "--sidecar",
    ]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["a.jpg", "b.png", "b.png"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    labels = {"a.png", "b.png", "b_2.png"}
    assert names == labels | {f"{Path(n).stem}_overlay.png" for n in labels} | {
        f"{Path(n).stem}.json" for n in labels
    }


def test_one_bad_picture_among_several(bundle, photo, tmp_path, capsys) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    assert main(["segment", "bad.png", photo, WORDS, "--bundle", bundle, "--json"]) == 1
    captured = capsys.readouterr()
    first, second = json.loads(captured.out)["images"]
    assert "bad.png" in first["error"]
    assert second["height"] == 20
    assert captured.err.startswith("ImageError")


def test_video(bundle, tmp_path, capsys) -> None:
    av = pytest.importorskip("av")
    with av.open("clip.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 48, 32
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), index * 40, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert main(["segment", "clip.mp4", WORDS, "--bundle", bundle, "--out", "frames"]) == 0
    assert "mean of 4 pictures" in capsys.readouterr().out
    assert max(path.name for path in Path("frames").iterdir()) == "clip_000004.png"
    assert main(["segment", "clip.mp4", WORDS, "--bundle", bundle, "--json"]) == 0
    assert len(document(capsys)["images"]) == 4
    Path("broken.mp4").write_text("no video")
    assert main(["segment", "broken.mp4", WORDS, "--bundle", bundle]) == 1
    assert "ImageError: cannot read broken.mp4" in capsys.readouterr().err


def test_video_without_pyav(bundle, monkeypatch, capsys) -> None:
    Path("clip.mp4").write_text("")
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["segment", "clip.mp4", WORDS, "--bundle", bundle]) == 1
    assert "pip install 'vocabseg[video]'" in capsys.readouterr().err


def test_stdin_and_stdout(bundle, photo, monkeypatch, capsysbinary) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(Path(photo).read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["segment", "-", WORDS, "--bundle", bundle, "--out", "-", "--overlay", "overlay.png"]) == 0
    captured = capsysbinary.readouterr()
    assert np.asarray(Image.open(io.BytesIO(captured.out))).shape == (20, 40)
    assert b"car" in captured.err
    assert Path("overlay.png").is_file()
    usage_error("segment", photo, WORDS, "--bundle", bundle, "--out", "-", "--json")


def test_empty_stdin(bundle, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    assert main(["segment", "-", WORDS, "--bundle", bundle]) == 1
    assert capsys.readouterr().err.startswith("ImageError")


def test_scores_and_options(bundle, photo, capsys) -> None:
    command = [
        "segment",
        photo,
        WORDS,
        "--bundle",
        bundle,
        "--scores",
        "s.npy",
        "--overlay",
        "o.jpg",
        "--no-legend",
    ]
    assert main([*command, "--threshold", "0.2", "--threads", "1", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert np.load("s.npy").dtype == np.float32
    assert Image.open("o.jpg").size == (40, 20)


def test_pictures_are_never_written_over(bundle, photo, capsys) -> None:
    before = Path(photo).read_bytes()
    for command in ([photo, "--out", photo], [photo, "--overlay", "."], [".", photo, "--out", "."]):
        Path("photo_overlay.png").write_bytes(before)
        inputs = [*command[:1], "photo_overlay.png", *command[1:]] if "--overlay" in command else command
        assert main(["segment", *inputs, "--words", WORDS, "--bundle", bundle]) == 1
        assert "would be overwritten" in capsys.readouterr().err
        assert Path(photo).read_bytes() == before


def test_usage_errors(bundle, photo, capsys) -> None:
    for extra in (
        ["--out", "a.png", "--overlay", "a.png"],
        ["--threads", "0"],
        ["--threshold", "2"],
        ["--nothing"],
    ):
        usage_error("segment", photo, WORDS, "--bundle", bundle, *extra)
    usage_error("segment", photo, photo, WORDS, "--bundle", bundle, "--out", "a.png")
    usage_error("segment", photo, WORDS, "--bundle", bundle, "--out", "-", "--json")
    usage_error("nonsense")
    usage_error()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["segment", "none.png", "road"], "ImageError: no such image"),
        (["segment", "photo.png", "road;;car"], "VocabularyError: empty word"),
        (["segment", "photo.png", "road", "--bundle", "none"], "BundleError: no bundle folder"),
        (["segment", "photo.png", "road", "--out", "no/such/folder/x.png"], "FileNotFoundError"),
        (["segment", "photo.png", "road", "--overlay", "x.xyz"], "ImageError: cannot tell the format"),
        (["segment", "photo.png", "road", "--templates", "none"], "VocabularyError: unknown template set"),
        (["vocab", "show", "none.safetensors"], "VocabularyError: cannot read"),
        (["vocab", "build", "road", "--out", "x.npz"], "VocabularyError: a stored vocabulary ends with"),
    ],
)
def test_failures_are_one_line_and_exit_1(bundle, photo, command, message, capsys) -> None:
    if "--bundle" not in command and command[1] != "show":
        command = [*command, "--bundle", bundle]
    assert main(command) == 1
    assert capsys.readouterr().err.startswith(message)
    assert main([*command, "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    error = json.loads(captured.out)["error"]
    assert f"{error['type']}: {error['message']}".startswith(message)


def test_interruption_exits_130(bundle, photo, monkeypatch, capsys) -> None:
    def interrupt(*_, **__) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_core.Segmenter, "segment", interrupt)
    assert main(["segment", photo, WORDS, "--bundle", bundle]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_vocab_build_and_show(bundle, capsys) -> None:
    assert (
        main(
            [
                "vocab",
                "build",
                "road; car, van; background: sky",
                "--bundle",
                bundle,
                "--out",
                "v.safetensors",
            ]
        )
        == 0
    )
    assert "3 classes, 4 words" in capsys.readouterr().out
    assert Vocabulary.load("v.safetensors").width == fake_core.WIDTH
    assert main(["vocab", "show", "v.safetensors", "--json"]) == 0
    shown = document(capsys)
    assert shown["classes"] == ["road", "car, van", "background: sky"]
    assert shown["templates"] == "simple7"
    assert main(["vocab", "show", "voc21"]) == 0
    assert "television" in capsys.readouterr().out


def test_vocab_lists_and_cache(bundle, capsys) -> None:
    assert main(["vocab", "lists"]) == 0
    assert "ade20k           150" in capsys.readouterr().out
    assert main(["vocab", "lists", "--json"]) == 0
    assert document(capsys)["template_sets"]["openai80"] == 80
    main(["vocab", "build", "road; car", "--bundle", bundle, "--out", "v.safetensors", "--json"])
    assert document(capsys)["words"] == 2
    assert main(["vocab", "cache", "--json"]) == 0
    assert document(capsys)["entries"] == 2
    assert main(["vocab", "cache", "prune", "--older-than", "1", "--json"]) == 0
    assert document(capsys)["deleted"] == 0
    assert main(["vocab", "cache", "prune"]) == 0
    assert "deleted 2 entries" in capsys.readouterr().out


def test_logging_goes_to_standard_error(bundle, photo, capsys) -> None:
    assert main(["segment", photo, WORDS, "--bundle", bundle, "-v", "--json"]) == 0
    captured = capsys.readouterr()
    json.loads(captured.out)
    assert "fake engine started" in captured.err
    assert main(["segment", photo, WORDS, "--bundle", bundle]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [[], *[[module.__name__.rpartition(".")[2]] for module in cli.COMMANDS]])
def test_help_names_the_exit_codes(command, capsys) -> None:
    with pytest.raises(SystemExit) as done:
        main([*command, "--help"])
    assert done.value.code == 0
    assert "130  interrupted" in capsys.readouterr().out


def test_help_and_version_load_nothing() -> None:
    code = (
        "import sys, runpy; sys.argv = ['vocabseg', sys.argv[1]]\n"
        "try: runpy.run_module('vocabseg', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'PIL', 'openvino', 'torch', 'cv2', 'vocabseg._core'} & set(sys.modules)))"
    )
    for option, text in (("--help", "segment"), ("--version", __version__)):
        done = subprocess.run(
            [sys.executable, "-c", code, option], capture_output=True, text=True, check=True
        )
        assert text in done.stdout
        assert done.stdout.endswith("[]\n")


def test_progress_is_for_terminals_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, visible in ((Terminal(), True), (io.StringIO(), False)):
        progress = terminal.Progress(2, "pictures", stream=stream)
        progress.advance()
        progress.advance()
        progress.clear()
        assert ("2/2 pictures" in stream.getvalue()) is visible
        assert all(len(part) <= 80 for part in stream.getvalue().split("\r"))


def test_table_and_fit() -> None:
    assert terminal.table([("道路", "1"), ("ab", "22")], ("name", "n")) == "name   n\n道路   1\nab    22"
    assert terminal.fit("abcdef", 5) == "ab..."
    assert terminal.fit("a\x1b[31m\n", 20) == "a?[31m?"


def test_percent() -> None:
    assert [terminal.percent(share) for share in (0, 0.0004, 0.0005, 0.5, 1)] == [
        "0.0 %",
        "<0.1 %",
        "0.1 %",
        "50.0 %",
        "100.0 %",
    ]
    assert terminal.percent(0.004, 0) == "<1 %"


def test_expand_names(tmp_path) -> None:
    assert [source.stem for source in sources.expand(["-"])] == ["stdin"]
    with pytest.raises(sources.ImageError, match="holds no image"):
        (tmp_path / "empty").mkdir()
        sources.expand([str(tmp_path / "empty")])
