"""The look of every HTML page that we write: nothing in it comes from elsewhere, it reads on a phone and prints well."""

import base64
import html

from apps.base.draw import COLOURS

__all__ = ["cell", "image", "page", "text"]

_BLUE, _VERMILION, _GREEN, _, _ORANGE, *_ = COLOURS

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff;
  max-width: 72rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.6rem; margin: .2rem 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ccc; }}
h3 {{ font-size: 1rem; margin: 1rem 0 .3rem; overflow-wrap: anywhere; }}
p.facts {{ color: #444; margin: .2rem 0; overflow-wrap: anywhere; }} a {{ color: #00508a; }}
table {{ border-collapse: collapse; }}
td, th {{ text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #e4e4e4; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
td.n, th.n {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
td:first-child {{ overflow-wrap: normal; }} td.bar {{ min-width: 12rem; }} td.bar i {{ display: block; height: 1rem; background: {blue}; }}
img {{ max-width: 100%; height: auto; }} figure {{ margin: 1rem 0; }} figcaption {{ color: #444; font-size: .9rem; }}
pre {{ background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: .8rem; line-height: 1.35; }} .wide {{ overflow-x: auto; }}
.side {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 1rem; }}
.side figure {{ margin: .4rem 0; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }}
article {{ border: 1px solid #ddd; border-radius: 6px; padding: .6rem; break-inside: avoid; }}
article h3 {{ margin: 0 0 .3rem; }} article p {{ margin: .2rem 0; }}
.failed {{ border-left: 5px solid {vermilion}; }} .done {{ border-left: 5px solid {green}; }}
.skipped, .warning {{ border-left: 5px solid {orange}; }}
.warning {{ padding-left: .7rem; }} .reason {{ color: #a04000; overflow-wrap: anywhere; }}
.notice {{ background: #fff3cd; border: 1px solid #d8b84a; border-radius: 4px; padding: .4rem .8rem; }}
.answer {{ font-size: 1.25rem; margin: .8rem 0; }}
@media print {{ body {{ max-width: none; padding: 0; font-size: 11pt; }} figure, tr {{ break-inside: avoid; }} h2 {{ break-after: avoid; }}
  pre {{ white-space: pre-wrap; }} }}
{more}</style></head><body>
{body}
</body></html>
"""


def page(title: str, body: str, more: str = "") -> str:
    """`body` is HTML; `more` are rules of style that this page alone needs."""
    return _PAGE.format(title=text(title), body=body, more=more, blue=_BLUE, vermilion=_VERMILION, green=_GREEN, orange=_ORANGE)


def text(words: object) -> str:
    return html.escape(str(words), quote=True)


def image(data: bytes, alt: str, caption: str = "", kind: str = "png") -> str:
    """A picture within the page."""
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{text(alt)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">{below}</figure>'


def cell(words: str, number: bool = False, tag: str = "td") -> str:
    """`words` are HTML."""
    return f"<{tag} class='n'>{words}</{tag}>" if number else f"<{tag}>{words}</{tag}>"
