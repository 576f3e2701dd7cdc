"""A flow chart (行政执法程序流程图) as a picture, drawn by Graphviz at publish time; its words are `kiosk.flow_words`.

The picture is an SVG of an allow-list of elements and attributes: nothing in it runs, loads or links.
"""

import shutil
import subprocess
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml  # only what `dot` itself wrote is read

from agent.errors import EnvironmentFault, OperatorFault
from kiosk.flow_words import steps_of, ways

TIMEOUT_S = 20.0  # ours; a chart of 64 steps takes 0.1 s
LINE_CHARACTERS = 14  # ours: of a box, so that it can be read from a metre
SVG = "http://www.w3.org/2000/svg"
ELEMENTS = frozenset({"svg", "g", "path", "polygon", "polyline", "ellipse", "rect", "text", "title"})
ATTRIBUTES = frozenset({
    "width", "height", "viewBox", "transform", "d", "points", "cx", "cy", "rx", "ry", "x", "y", "fill", "stroke",
    "stroke-width", "text-anchor", "font-size", "font-family",
})  # fmt: skip


def draw(entry: Mapping[str, Any]) -> bytes:
    """The SVG. Raises `EnvironmentFault` without Graphviz, `OperatorFault` for ways that lead nowhere."""
    program = shutil.which("dot")
    if program is None:
        raise EnvironmentFault("没有安装 Graphviz，不能绘制流程图。请执行 apt install graphviz 后重新起草。")
    try:
        done = subprocess.run(
            [program, "-Tsvg"], input=_source(entry).encode(), capture_output=True, timeout=TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise EnvironmentFault(f"Graphviz 没有绘出流程图（{error}）。请检查安装后重新起草。") from error
    return sanitised(done.stdout)


def sanitised(svg: bytes) -> bytes:
    """`svg` with nothing but the elements and attributes of the allow-list; raises `OperatorFault` for no SVG."""
    if b"<!ENTITY" in svg:
        raise OperatorFault("图中有实体声明，未采用。请重新导出。")
    try:
        root = Xml.fromstring(svg)  # noqa: S314 - see above
    except Xml.ParseError as error:
        raise OperatorFault(f"不是完好的 SVG 图（{error}）。请重新导出。") from error
    Xml.register_namespace("", SVG)
    clean = _clean(root)
    if clean is None or clean.tag != f"{{{SVG}}}svg":
        raise OperatorFault("不是 SVG 图。请重新导出。")
    picture: bytes = Xml.tostring(clean, encoding="utf-8")
    return picture


def _clean(element: Xml.Element) -> Xml.Element | None:
    if not isinstance(element.tag, str) or not element.tag.startswith(f"{{{SVG}}}"):
        return None
    if element.tag.removeprefix(f"{{{SVG}}}") not in ELEMENTS:
        return None
    kept = {name: value for name, value in element.attrib.items() if name in ATTRIBUTES and "url(" not in value}
    clean = Xml.Element(element.tag, kept)
    clean.text, clean.tail = element.text, element.tail
    clean.extend(child for one in element if (child := _clean(one)) is not None)
    return clean


def _source(entry: Mapping[str, Any]) -> str:
    boxes = [f'  s{number} [label="{_label(step)}"];' for number, step in enumerate(steps_of(entry))]
    arrows = [
        f'  s{begin} -> s{end}{f""" [label=" {_label(when)}"]""" if when else ""};' for begin, end, when in ways(entry)
    ]
    look = [
        '  graph [rankdir=TB, nodesep=0.4, ranksep=0.35, bgcolor="white"];',
        '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=16, margin="0.25,0.12", penwidth=1.5];',
        '  edge [fontname="sans-serif", fontsize=14];',
    ]
    return "\n".join(["digraph {", *look, *boxes, *arrows, "}"])


def _label(text: str) -> str:
    rows = -(-len(text) // LINE_CHARACTERS) or 1
    width = -(-len(text) // rows) or 1  # even lines: no bracket alone on the last one
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return r"\n".join(line.replace("\\", r"\\").replace('"', r"\"").replace("\n", " ") for line in lines)
