"""Our towers equal open_clip's, weights come in from every supported file, and bad files say what is wrong."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

from open_clip.model import CLIP as OpenCLIP  # noqa: E402
from open_clip.model import CLIPTextCfg, CLIPVisionCfg  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from vocabseg import clip  # noqa: E402
from vocabseg.errors import OfflineError, WeightsError  # noqa: E402

# The layouts of ViT-B/32, B/16, L/14, L/14@336 and H/14 at small widths: patch, image side, head width, activation.
LAYOUTS = {
    "B-32": (32, 224, 64, True),
    "B-16": (16, 224, 64, True),
    "L-14": (14, 224, 64, True),
    "L-14-336": (14, 336, 64, True),
    "H-14": (14, 224, 80, False),
}


def reference(layout: str) -> OpenCLIP:
    patch, side, head_width, quick_gelu = LAYOUTS[layout]
    torch.manual_seed(0)
    vision = CLIPVisionCfg(
        layers=2, width=2 * head_width, head_width=head_width, patch_size=patch, image_size=side
    )
    text = CLIPTextCfg(context_length=77, vocab_size=520, width=128, heads=2, layers=2)
    return OpenCLIP(48, vision, text, quick_gelu=quick_gelu).eval()


def save(model: OpenCLIP, path) -> None:
    state = {name: value.contiguous() for name, value in model.state_dict().items() if name != "attn_mask"}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("layout", LAYOUTS)
@torch.inference_mode()
def test_both_towers_equal_open_clip(layout, suffix, tmp_path) -> None:
    theirs = reference(layout)
    save(theirs, tmp_path / f"weights{suffix}")
    activation = "quick_gelu" if LAYOUTS[layout][3] else "gelu"
    ours = clip.load_clip(tmp_path / f"weights{suffix}", activation=activation, visual_heads=2, text_heads=2)

    images = torch.randn(2, 3, LAYOUTS[layout][1], LAYOUTS[layout][1])
    tokens = torch.randint(1, 500, (3, 77))
    tokens[:, 9] = 519
    image, text = ours(images, tokens)
    torch.testing.assert_close(image, theirs.encode_image(images, normalize=True), rtol=0, atol=2e-6)
    torch.testing.assert_close(text, theirs.encode_text(tokens, normalize=True), rtol=0, atol=2e-6)
    torch.testing.assert_close(ours.logit_scale, theirs.logit_scale)


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14"])
def test_sizes_of_open_clips_list(name) -> None:
    from vocabseg.clip.load import open_clip_configs

    visual, text = open_clip_configs(name)
    expected = open_clip.get_model_config(name)
    assert visual.width == expected["vision_cfg"]["width"]
    assert visual.heads * expected["vision_cfg"].get("head_width", 64) == visual.width
    assert visual.grid * visual.patch_size == expected["vision_cfg"]["image_size"]
    assert (text.width, text.heads) == (expected["text_cfg"]["width"], expected["text_cfg"]["heads"])


def test_random_weights_are_seeded() -> None:
    small = clip.VisualConfig(64, 1, 1, 16, 4, 32, 128), clip.TextConfig(64, 1, 1, 16, 600, 32, 128)
    one, two, other = (clip.initialize(clip.build(*small), seed) for seed in (3, 3, 4))
    assert torch.equal(one.visual.proj, two.visual.proj)
    assert not torch.equal(one.visual.proj, other.visual.proj)
    assert all(torch.isfinite(p).all() for p in one.parameters())


def test_unreachable_hub_names_the_offline_ways(monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(open_clip, "create_model", refuse)
    with pytest.raises(OfflineError, match="--pretrained FILE.safetensors.*--pretrained none"):
        clip.from_open_clip("ViT-B-32", "laion2b_s34b_b79k")


@pytest.mark.parametrize(
    ("name", "tag", "message"),
    [
        ("ViT-Z-99", "openai", "no model 'ViT-Z-99'.*ViT-B-16"),
        ("ViT-B-16", "nobody", "no weights 'nobody'.*openai"),
        ("RN50", "openai", "not a plain CLIP ViT"),
        ("ViT-B-16-SigLIP", "webli", "not a plain CLIP ViT"),
    ],
)
def test_unknown_models_are_named(name, tag, message) -> None:
    with pytest.raises(WeightsError, match=message):
        clip.from_open_clip(name, tag)


def test_bad_files_are_named(tmp_path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        clip.load_visual(tmp_path / "missing.pt")
    (tmp_path / "garbage.pt").write_bytes(b"not a checkpoint")
    (tmp_path / "garbage.safetensors").write_bytes(b"\xff" * 64)
    for name in ("garbage.pt", "garbage.safetensors"):
        with pytest.raises(WeightsError, match="cannot read weights"):
            clip.load_visual(tmp_path / name)
    save_file({"something.else": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"no 'visual\.conv1\.weight'.*something\.else"):
        clip.load_visual(tmp_path / "other.safetensors")


def test_pickled_code_is_not_run(tmp_path) -> None:
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle ran code",))

    torch.save({"visual.conv1.weight": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(WeightsError):
        clip.load_visual(tmp_path / "trap.pt")


def test_missing_tensor_and_wrong_shape_are_named(tmp_path) -> None:
    state = {name: value.contiguous() for name, value in reference("B-32").state_dict().items()}
    broken = {name: value for name, value in state.items() if name != "visual.ln_post.weight"}
    save_file(broken, tmp_path / "missing.safetensors")
    with pytest.raises(WeightsError, match=r"ln_post\.weight"):
        clip.load_visual(tmp_path / "missing.safetensors")
    state["visual.ln_post.weight"] = torch.zeros(3)
    save_file(state, tmp_path / "shape.safetensors")
    with pytest.raises(WeightsError, match=r"ln_post\.weight"):
        clip.load_visual(tmp_path / "shape.safetensors")


def test_unknown_activation_is_named() -> None:
    with pytest.raises(WeightsError, match="quick_gelu, gelu"):
        clip.load_visual("any.pt", activation="relu")
