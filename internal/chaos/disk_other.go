//go:build !linux

package chaos

// quota is for Linux; elsewhere the disk stays whole.
type quota struct{ dir string }

func newQuota(string) (*quota, error) { return nil, nil } //nolint:nilnil // nothing to break, and that is no error

func (*quota) fill() error  { return nil }
func (*quota) empty() error { return nil }
func (*quota) close() error { return nil }
