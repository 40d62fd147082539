import torch
from torch import nn

from core_attention import build_mixer


def test_it_equals_torchs_own_multihead_attention() -> None:
    torch.manual_seed(0)
    mixer, other = build_mixer("softmax", 8, 2).double(), nn.MultiheadAttention(8, 2, batch_first=True).double()
    other.load_state_dict(
        {
            "in_proj_weight": mixer.qkv.weight,
            "in_proj_bias": mixer.qkv.bias,
            "out_proj.weight": mixer.proj.weight,
            "out_proj.bias": mixer.proj.bias,
        }
    )
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    wanted, maps = other(x, x, x, average_attn_weights=False)
    y, full = mixer(x, need="full")
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(full, maps)


def test_attention_dropout_acts_in_training_only_and_leaves_the_maps_alone() -> None:
    torch.manual_seed(0)
    mixer, plain = build_mixer("softmax", 8, 2, attn_drop=0.5), build_mixer("softmax", 8, 2)
    plain.load_state_dict(mixer.state_dict())
    x = torch.randn(2, 5, 8)
    y, full = mixer.train()(x, need="full")
    assert not torch.allclose(y, plain(x))
    torch.testing.assert_close(full, plain(x, need="full")[1])
    _, lse = mixer(x, need="lse")
    torch.testing.assert_close(lse, plain(x, need="lse")[1])
    torch.testing.assert_close(mixer.eval()(x), plain(x))
