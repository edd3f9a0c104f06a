# shellcheck shell=sh
# Debian's /etc/profile sets PATH anew for login shells.
PATH=/opt/terna/bin:$PATH
