#!/bin/sh
# SPDX-License-Identifier: MIT
# The init of a machine without an MMU whose programs are all busybox: the shell's words, applets in
# pipes and subshells, four processes at once. It shows the mappings of one of them, and reboots.
[ -e /proc/self ] || mount -t proc proc /proc

say() {
	echo "shell: $*"
}

sum=0
for number in 1 2 3 4; do
	sum=$((sum + number))
done
say "sum $sum"
say sorted $(for word in pear apple fig; do echo $word; done | sort)
say lines $(cat /sbin/init | sed -n 's/^sleep //p' | wc -l)
case $(uname -s) in
Linux) say case Linux ;;
*) say case other ;;
esac
(sum=0; say subshell $sum)
say after $sum
false || say false
# The shell calls this applet as a function, which comes back by longjmp().
mkdir 2>/dev/null || say usage $?
trap 'say trapped' USR1
kill -USR1 $$
cat <<END | grep second
shell: first line
shell: second line
END
say link $(ls -l /bin | grep -o ' sh -> .*')

sleep 4 &
first=$!
sleep 4 &
second=$!
sleep 2
say shells $(ps | grep -c '[s]leep 4')
echo "process: $second"
cat /proc/$second/maps
cat /proc/meminfo
# Not for every child: the agent is one, too.
wait $first $second
say done
/sbin/reboot -f
