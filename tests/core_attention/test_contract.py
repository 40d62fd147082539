import pytest
import torch

from core_attention import Mixer, MixerSpec, PatternError, Segments, build_mixer, list_mixers, register_mixer


def test_a_wrong_name_or_option_tells_the_nearest_right_one() -> None:
    with pytest.raises(ValueError, match="did you mean 'softmax'"):
        build_mixer("sofmax", 8, 2)
    with pytest.raises(ValueError, match="no option 'atn_drop'; did you mean 'attn_drop'"):
        build_mixer("softmax", 8, 2, atn_drop=0.1)
    with pytest.raises(ValueError, match="dim=8 does not divide by heads=3"):
        build_mixer("softmax", 8, 3)


def test_every_mixer_on_the_table_declares_itself_under_its_own_name() -> None:
    assert "softmax" in list_mixers()
    assert all(name == spec.name for name, spec in list_mixers().items())
    with pytest.raises(ValueError, match="exists already"):
        register_mixer(type(build_mixer("softmax", 8, 2)))


def test_a_mixer_cannot_be_built_for_a_pattern_that_it_lacks() -> None:
    class OnlySelf(Mixer):
        spec = MixerSpec("only_self", frozenset({"ns"}), frozenset({"none"}), frozenset(), "N D", "none")

    OnlySelf()
    with pytest.raises(PatternError, match="only_self has no pattern cs; it has ns"):
        OnlySelf(causal=True)
    with pytest.raises(PatternError, match="nc"):
        OnlySelf(context_dim=4)


def test_an_argument_that_would_be_ignored_is_an_error() -> None:
    x, mixer, cross = torch.zeros(2, 6, 8), build_mixer("softmax", 8, 2), build_mixer("softmax", 8, 2, context_dim=4)
    with pytest.raises(ValueError, match="does not take a grid"):
        mixer(x, grid=(2, 3))
    with pytest.raises(PatternError, match="build the mixer with context_dim"):
        mixer(x, context=x)
    with pytest.raises(PatternError, match="pass context"):
        cross(x)
    with pytest.raises(ValueError, match="need='map'"):
        mixer(x, need="map")
    with pytest.raises(TypeError, match="True = may attend"):
        mixer(x, mask=torch.ones(2, 6, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"a float one \(B,1\|H,N,M\)"):
        mixer(x, mask=torch.ones(2, 6, 6))


def test_segments_that_do_not_fit_are_refused() -> None:
    mixer, x = build_mixer("softmax", 8, 2), torch.zeros(5, 8)
    with pytest.raises(ValueError, match="begin at 0"):
        Segments.from_offsets(torch.tensor([1, 5]))
    with pytest.raises(ValueError, match="never decrease"):
        Segments.from_offsets(torch.tensor([0, 3, 2]))
    with pytest.raises(ValueError, match="S >= 1"):
        Segments.from_offsets(torch.tensor([0]))
    with pytest.raises(ValueError, match="end at 4, but there are 5"):
        mixer(x, segments=Segments.from_lengths([4]))
    with pytest.raises(ValueError, match="exclude each other"):
        mixer(x, segments=Segments.from_lengths([5]), mask=torch.ones(1, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"\(T, D\)"):
        mixer(x[None], segments=Segments.from_lengths([5]))
    with pytest.raises(ValueError, match="a pair of them"):
        mixer(x, segments=(Segments.from_lengths([5]),) * 2)


def test_segments_know_their_longest_and_their_number() -> None:
    segments = Segments.from_lengths([2, 0, 3])
    assert segments.offsets.tolist() == [0, 2, 2, 5]
    assert segments.offsets.dtype == torch.int64
    assert (segments.longest, segments.count) == (3, 3)
