package devstack

import (
	"sync"
	"time"
)

const (
	progressAfter = 2 * time.Second // nobody wants to read about anything shorter
	progressEvery = 3 * time.Second
)

// progress prints "<what>: 5s …" every few seconds until the function that it
// returns is called, which waits until nothing more will be printed.
func progress(logf logfFunc, what string) (stop func()) {
	began := time.Now()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		timer := time.NewTimer(progressAfter)
		defer timer.Stop()
		for {
			select {
			case <-quit:
				return
			case <-timer.C:
				logf("%s: %s …", what, time.Since(began).Round(time.Second))
				timer.Reset(progressEvery)
			}
		}
	})
	return sync.OnceFunc(func() {
		close(quit)
		wg.Wait()
	})
}
