"""The page of the screen's keeper itself, for as long as the kiosk's server does not answer: a file, no error of a
browser. Pure."""

from html import escape

FILE = "away.html"
PAGE = """<!doctype html>
<html lang="zh-CN" translate="no">
<head>
<meta charset="utf-8">
<meta name="google" content="notranslate">
<title>公示屏服务暂时中断</title>
<style>
html, body {{ height: 100%; margin: 0; background: #0b3f86; color: #fff; font-family: "Noto Sans CJK SC", sans-serif }}
body {{ display: flex; flex-direction: column; justify-content: center; align-items: center; text-align: center }}
h1 {{ font-size: 8vmin; margin: 0 4vmin 4vmin }}
p {{ font-size: 4vmin; line-height: 1.6; margin: 0 6vmin 2vmin }}
small {{ font-size: 2.4vmin }}
</style>
</head>
<body oncontextmenu="return false">
<main>
<h1>公示屏服务暂时中断</h1>
<p>{hall}本屏此刻不展示任何公示内容，服务恢复后自动展示。</p>
<p>{ask}</p>
<p><small>技术人员：原因见 systemctl status liuhen-kiosk，如 kiosk.toml 写错；改正后自动恢复。</small></p>
</main>
</body>
</html>
"""


def away_page(hall: str, phone: str) -> bytes:
    """The page; `hall` and `phone` are empty while the server has not told them yet."""
    ask = "请咨询窗口工作人员" + (f"，或拨打 {phone}。" if phone else "。")
    return PAGE.format(hall=escape(f"{hall}：" if hall else ""), ask=escape(ask)).encode()
