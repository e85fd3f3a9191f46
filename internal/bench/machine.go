package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sys/unix"
)

// Machine is what a run ran on. Numbers without it mean nothing.
type Machine struct {
	CPU        string    `json:"cpu"`
	Cores      int       `json:"cores"`
	MemoryMiB  int       `json:"memory_mib"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	PostgreSQL string    `json:"postgresql"`
	Temporal   string    `json:"temporal"`
	Commit     string    `json:"commit"`
	Date       time.Time `json:"date"`
	// Load is the system's load average over a minute before the run began.
	Load float64 `json:"load_before"`
}

// describe looks at the machine; what it cannot find out stays empty.
func describe(ctx context.Context, s Servers, c client.Client, commit string) Machine {
	m := Machine{
		Cores: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Commit: commit, Date: time.Now().UTC().Truncate(time.Second),
		CPU: field("/proc/cpuinfo", "model name"),
	}
	if kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.MemoryMiB = kib / 1024
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(load), &m.Load)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:])
	}
	if info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{}); err == nil {
		m.Temporal = info.GetServerVersion()
	}
	if conn, err := pgx.Connect(ctx, s.DatabaseURL); err == nil {
		_ = conn.QueryRow(ctx, `SELECT split_part(version(), ' on ', 1) || ', fsync ' || current_setting('fsync')
			|| ', synchronous_commit ' || current_setting('synchronous_commit')`).Scan(&m.PostgreSQL)
		_ = conn.Close(ctx)
	}
	return m
}

func (m Machine) lines() [][2]string {
	return [][2]string{
		{"CPU", fmt.Sprintf("%s, %d cores", m.CPU, m.Cores)},
		{"memory", fmt.Sprintf("%d MiB", m.MemoryMiB)},
		{"kernel", m.Kernel},
		{"Go", m.Go},
		{"PostgreSQL", m.PostgreSQL},
		{"Temporal", m.Temporal},
		{"Baton", m.Commit},
		{"date", m.Date.Format(time.RFC3339)},
		{"load before", number(m.Load)},
	}
}

// field returns the first value of a name in a file of "name: value" lines.
func field(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
