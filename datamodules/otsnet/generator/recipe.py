"""How often and how strongly a generated picture is disturbed: all numbers in one place, and how a difficulty scales them."""

from dataclasses import dataclass, fields, replace

__all__ = ["EASY", "REAL", "Recipe", "curriculum"]


@dataclass(frozen=True)
class Recipe:
    """A `share_` is a probability, a `sigma_` a spread: these two are what the difficulty scales. The rest are ranges."""

    # the line of letters
    share_gap: float = 0.4
    gap: tuple[int, int] = (-1, 6)  # source pixels at 40 px
    share_stroke: float = 0.1
    # geometry
    side_margin: tuple[float, float] = (0.02, 0.10)
    top_margin: tuple[float, float] = (0.04, 0.25)
    sigma_turn: float = 3.4  # degrees
    share_far_turn: float = 0.3
    sigma_far_turn: float = 11.0
    share_perspective: float = 0.5
    sigma_perspective: float = 0.35  # the largest value
    sigma_shear: float = 0.05
    share_parabola: float = 0.35
    parabola: tuple[float, float] = (0.15, 1.1)
    share_wave: float = 0.2
    wave: tuple[float, float] = (0.03, 0.12)
    wave_periods: tuple[float, float] = (0.7, 2.5)
    share_elastic: float = 0.3
    elastic: tuple[float, float] = (0.01, 0.04)
    share_circle: float = 0.03
    circle_radius: tuple[float, float] = (0.6, 2.0)  # word lengths
    # colours
    contrast: tuple[float, float] = (60.0, 200.0)
    sigma_ink_colour: float = 35.0
    sigma_texture: float = 70.0  # the largest amplitude
    share_coloured_texture: float = 0.3
    share_textured_ink: float = 0.25
    share_shadow: float = 0.25
    share_bright_shadow: float = 0.2  # of the shadows
    share_outline: float = 0.12
    opacity: tuple[float, float] = (0.75, 1.0)
    share_multiply_or_screen: float = 0.1
    # what lies between, over and beside
    share_lines_below: float = 0.15
    share_lines_above: float = 0.15
    share_neighbour: float = 0.15
    share_cover: float = 0.15
    cover_width: float = 0.12  # of the picture's, at most
    # light
    share_ramp: float = 0.2
    sigma_ramp: float = 0.4  # the largest value
    share_soft_shadow: float = 0.1
    share_specular: float = 0.03
    # camera and file
    share_blur: float = 0.3
    blur: tuple[float, float] = (0.4, 1.5)
    share_motion: float = 0.1
    share_small: float = 0.1
    small: tuple[float, float] = (0.35, 0.7)
    share_noise: float = 0.5
    sigma_noise: float = 16.0  # the largest value
    share_poisson: float = 0.1
    share_grey: float = 0.1
    share_invert: float = 0.05
    share_gamma: float = 0.2
    gamma: tuple[float, float] = (0.6, 1.6)
    share_jpeg: float = 0.6
    share_second_jpeg: float = 0.05
    jpeg: tuple[int, int] = (25, 95)

    def scaled(self, difficulty: float) -> "Recipe":
        """Every probability and every spread times the difficulty."""
        names = [field.name for field in fields(self) if field.name.startswith(("share_", "sigma_"))]
        return replace(self, **{name: getattr(self, name) * difficulty for name in names})


REAL = Recipe()
EASY = replace(
    REAL.scaled(1.0),
    **{field.name: getattr(REAL, field.name) / 2 for field in fields(REAL) if field.name.startswith("sigma_")},
    share_parabola=0.0,
    share_wave=0.0,
    share_elastic=0.0,
    share_circle=0.0,
    contrast=(90.0, 200.0),
)


def curriculum(progress: float) -> float:
    """The share of the difficulty at a share of the rise: from 0.3 to 1, in hundredths, so that few recipes are scaled."""
    return round(0.3 + 0.7 * min(1.0, max(0.0, progress)), 2)
