package devstack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// checkout is a directory that looks like one of Baton's; the working directory
// is inside it.
func checkout(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "tools", "temporal"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "tools", "temporal", "go.mod"), nil, 0o600))
	inside := filepath.Join(root, "internal", "x")
	require.NoError(t, os.MkdirAll(inside, 0o755))
	t.Chdir(inside)
	return root
}

func TestFindTemporal(t *testing.T) {
	root, path := checkout(t), t.TempDir()
	t.Setenv("PATH", path)
	bin := filepath.Join(root, "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))

	find := func() string {
		found, err := findTemporal(t.Context(), place{dir: t.TempDir()}, t.Logf)
		require.NoError(t, err)
		return found
	}
	downloaded := filepath.Join(bin, "temporal-cli-go-sdk-"+temporal.SDKVersion)
	writeScript(t, downloaded, "")
	require.Equal(t, downloaded, find())
	built := filepath.Join(bin, "temporal")
	writeScript(t, built, "")
	require.Equal(t, built, find())
	onPath := filepath.Join(path, "temporal")
	writeScript(t, onPath, "")
	require.Equal(t, onPath, find())
}

func TestBuildTemporal(t *testing.T) {
	root, path := checkout(t), t.TempDir()
	target := filepath.Join(root, "temporal")
	writeScript(t, filepath.Join(path, "go"), `echo "$PWD $GOWORK $1 $2 $4" > `+path+`/call; echo built > "$3"`)
	t.Setenv("PATH", path)
	var said messages
	require.NoError(t, buildTemporal(t.Context(), moduleRoot(), target, said.logf))
	require.Contains(t, said.String(), "building the Temporal dev server, once")
	call, err := os.ReadFile(filepath.Join(path, "call"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "tools", "temporal")+" off build -o github.com/temporalio/cli/cmd/temporal\n", string(call))
	require.FileExists(t, target)

	// Nothing incomplete stays.
	writeScript(t, filepath.Join(path, "go"), `echo half > "$3"; echo "no such module"; exit 1`)
	require.NoError(t, os.Remove(target))
	require.ErrorContains(t, buildTemporal(t.Context(), root, target, t.Logf), "no such module")
	left, err := filepath.Glob(target + "*")
	require.NoError(t, err)
	require.Empty(t, left)

	require.ErrorContains(t, buildTemporal(t.Context(), "", target, t.Logf), "not inside a checkout")
}
