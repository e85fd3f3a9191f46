package devstack

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// children returns the processes whose parent is pid, without those that have
// ended and only wait to be reaped.
func children(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if err != nil {
			continue // ended meanwhile
		}
		// "pid (name) state ppid …", and the name may contain anything.
		after := stat[bytes.LastIndexByte(stat, ')')+1:]
		fields := bytes.Fields(after)
		if len(fields) >= 2 && string(fields[0]) != "Z" && string(fields[1]) == strconv.Itoa(pid) {
			found = append(found, child)
		}
	}
	return found, nil
}

// commandLine returns the arguments of a running process, separated by spaces,
// or "" when there is no such process or it has ended.
func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}
