"""Beijing time, the one legal time in all of China, as people read it on a screen."""

from datetime import date, datetime

from agent.wire.instant import BEIJING


def day(moment: datetime) -> date:
    """The calendar day of `moment` in Beijing."""
    return moment.astimezone(BEIJING).date()


def day_text(moment: datetime) -> str:
    """Such as `2026年11月22日`."""
    local = moment.astimezone(BEIJING)
    return f"{local.year}年{local.month}月{local.day}日"


def minute_text(moment: datetime) -> str:
    """Such as `2026年11月22日 18:06`."""
    return f"{day_text(moment)} {moment.astimezone(BEIJING):%H:%M}"


def age_text(moment: datetime, now: datetime) -> str:
    """How long ago `moment` was, such as `3 天`; a moment to come is `刚刚` too."""
    minutes = int((now - moment).total_seconds()) // 60
    if minutes < 1:
        return "刚刚"
    if minutes < 60:
        return f"{minutes} 分钟前"
    return f"{minutes // 60} 小时前" if minutes < 48 * 60 else f"{minutes // 1440} 天前"
