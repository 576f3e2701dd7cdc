#!/bin/sh
# Place units, users, folders, journal limits and device names: `sh place.sh` as root on a device, `sh place.sh ROOT` into an
# image. Starts nothing; what to do next is printed. The programs are expected in /opt/liuhen (python3 -m venv /opt/liuhen).
set -eu
root=${1:-}
here=$(dirname "$0")
place() { install -D -m 0644 "$here/$1" "$root$2"; }
for unit in agent page kiosk screen firstboot settle renew; do place "systemd/liuhen-$unit.service" "/usr/lib/systemd/system/liuhen-$unit.service"; done
place systemd/liuhen-renew.timer /usr/lib/systemd/system/liuhen-renew.timer
place README.md /usr/share/doc/liuhen/README.md
place systemd/sysusers-liuhen.conf /usr/lib/sysusers.d/liuhen.conf
place systemd/tmpfiles-liuhen.conf /usr/lib/tmpfiles.d/liuhen.conf
place systemd/journald-liuhen.conf /usr/lib/systemd/journald.conf.d/liuhen.conf
place chromium/liuhen-kiosk.json /etc/chromium/policies/managed/liuhen-kiosk.json
place udev/70-liuhen.rules /usr/lib/udev/rules.d/70-liuhen.rules
cat <<'NEXT'
已放置。下一步（执法记录仪启用 liuhen-agent 与 liuhen-page，大厅终端启用 liuhen-agent、liuhen-kiosk、liuhen-screen）：
  systemd-sysusers && systemd-tmpfiles --create && udevadm control --reload && systemctl daemon-reload
  把设备文件夹的内容复制到 /var/lib/liuhen，然后 chown -R liuhen:liuhen /var/lib/liuhen
  systemctl enable --now liuhen-agent liuhen-renew.timer
  执法记录仪另需执法人员页面：runuser -u liuhen -- /opt/liuhen/bin/liuhen-agent pin --config /var/lib/liuhen/agent.toml，再 systemctl enable --now liuhen-page
  大厅终端另需 apt install cage seatd chromium grim fonts-noto-cjk，再 systemctl enable --now liuhen-kiosk liuhen-screen
NEXT
