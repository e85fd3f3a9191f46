package feed

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// A stream costs its connection tens of kilobytes; its place in the feed must
// not show beside that.
func TestSubscriptionIsSmall(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, unsafe.Sizeof(Subscription{}), uintptr(96))
}

func BenchmarkIdleSubscription(b *testing.B) {
	h := NewHub(newTable(), nil, Options{Logger: quiet})
	defer h.Stop()
	subs := make([]*Subscription, b.N)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range subs {
		subs[i] = subscribe(b, h, acme, "")
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "B/subscription")
	runtime.KeepAlive(subs)
}

// BenchmarkPublish measures one event from the database's answer until the
// last reader has it.
func BenchmarkPublish(b *testing.B) {
	for _, readers := range []int{0, 1, 1_000, 10_000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			h := NewHub(newTable(), nil, Options{Logger: quiet})
			ctx, cancel := context.WithCancel(context.Background())
			t := newTopic(models.FeedHead{AccountID: acme, Epoch: 1})
			h.topics[acme] = t
			var all sync.WaitGroup
			var received atomic.Int64
			last := make(chan struct{}, 1)
			for range readers {
				s := subscribe(b, h, acme, "")
				all.Go(func() {
					ctx, cancel := context.WithCancel(ctx) // each request has its own
					defer cancel()
					for {
						frames, err := s.Next(ctx, nil)
						if err != nil {
							return
						}
						if received.Add(int64(len(frames)))%int64(readers) == 0 {
							last <- struct{}{}
						}
					}
				})
			}
			list := events(1, int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range list {
				t.publish(1, list[i:i+1], h.opt.Ring, h.opt.RingBytes)
				if readers > 0 {
					<-last
				}
			}
			b.StopTimer()
			if readers > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*readers), "ns/delivery")
			}
			cancel()
			all.Wait()
		})
	}
}
