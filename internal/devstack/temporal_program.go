package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

const (
	temporalPackage = "github.com/temporalio/cli/cmd/temporal"
	downloadURL     = "https://temporal.download/"
	reachWithin     = 5 * time.Second
	downloadWithin  = 5 * time.Minute
)

// findTemporal returns the path of the temporal program: the one on the PATH,
// else the one that was built or downloaded before, else it downloads it, else
// it builds it.
func findTemporal(ctx context.Context, p place, logf logfFunc) (string, error) {
	if path, err := exec.LookPath("temporal"); err == nil {
		return path, nil
	}
	root := moduleRoot()
	// Shared by every stack of this checkout, and by all test packages.
	bin := p.dir
	if root != "" {
		bin = filepath.Join(root, "bin")
	}
	built := filepath.Join(bin, "temporal")
	downloaded := filepath.Join(bin, "temporal-cli-go-sdk-"+temporal.SDKVersion) // the SDK's name
	for _, path := range []string{built, downloaded} {
		if executable(path) {
			return path, nil
		}
	}

	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	// One gets it, the others wait: it is hundreds of megabytes or minutes.
	lock, err := lockWaiting(ctx, filepath.Join(bin, ".temporal.lock"))
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.release() }()
	for _, path := range []string{built, downloaded} {
		if executable(path) {
			return path, nil
		}
	}
	downloadErr := downloadTemporal(ctx, bin, logf)
	if downloadErr == nil && executable(downloaded) {
		return downloaded, nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err := buildTemporal(ctx, root, built, logf); err != nil {
		return "", fmt.Errorf("there is no Temporal dev server: install the Temporal CLI "+
			"(https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS: %w", errors.Join(err, downloadErr))
	}
	return built, nil
}

// moduleRoot returns the directory of Baton's source that the working directory
// or the program is in, or "".
func moduleRoot() string {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if program, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(program))
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			if exists(filepath.Join(dir, "tools", "temporal", "go.mod")) {
				return dir
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && info.Size() > 0
}

// downloadTemporal makes the SDK download the version that goes with it into
// dir. Its function downloads and starts in one go: the address without a port
// makes it give up in between, so its error means nothing.
func downloadTemporal(ctx context.Context, dir string, logf logfFunc) error {
	if err := reachable(ctx, downloadURL); err != nil {
		return fmt.Errorf("download it: %w", err)
	}
	logf("downloading the Temporal dev server, once")
	defer progress(logf, "downloading the Temporal dev server, once")()
	ctx, cancel := context.WithTimeout(ctx, downloadWithin)
	defer cancel()
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		CachedDownload: testsuite.CachedDownload{DestDir: dir},
		ClientOptions: &client.Options{
			HostPort: "download-only",
			Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		},
	})
	if server != nil { // another version of the SDK may well start it
		err = server.Stop()
	}
	if err != nil {
		return fmt.Errorf("download it: %w", err)
	}
	return nil
}

// reachable finds out soon what a download finds out after minutes: that there
// is no way to the host. It goes through the same proxy, if there is one.
func reachable(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// buildTemporal builds the version that tools/temporal pins. It appears under
// its name only when it is complete.
func buildTemporal(ctx context.Context, root, target string, logf logfFunc) error {
	if root == "" {
		return errors.New("build it: not inside a checkout of Baton")
	}
	goProgram, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("build it: %w", err)
	}
	what := "building the Temporal dev server, once"
	logf("%s: this takes minutes", what)
	defer progress(logf, what)()
	fresh := fmt.Sprintf("%s.%d.new", target, os.Getpid())
	defer os.Remove(fresh)
	_, err = runCommand(ctx, nil, func(command *exec.Cmd) {
		command.Dir = filepath.Join(root, "tools", "temporal")
		command.Env = append(os.Environ(), "GOWORK=off")
	}, goProgram, "build", "-o", fresh, temporalPackage)
	if err != nil {
		return fmt.Errorf("build it: %w", err)
	}
	return os.Rename(fresh, target)
}
