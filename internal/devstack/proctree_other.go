//go:build unix && !linux

package devstack

import (
	"os/exec"
	"strconv"
	"strings"
)

// children returns the processes whose parent is pid, without those that have
// ended and only wait to be reaped.
func children(pid int) ([]int, error) {
	output, err := exec.Command("ps", "-axo", "pid=,ppid=,stat=").Output()
	if err != nil {
		return nil, err
	}
	var found []int
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != strconv.Itoa(pid) || strings.HasPrefix(fields[2], "Z") {
			continue
		}
		if child, err := strconv.Atoi(fields[0]); err == nil {
			found = append(found, child)
		}
	}
	return found, nil
}

// commandLine returns the arguments of a running process, separated by spaces,
// or "" when there is no such process or it has ended.
func commandLine(pid int) string {
	output, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(string(output))
	if strings.HasSuffix(text, "<defunct>") {
		return ""
	}
	return text
}
