package worker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/activities"
)

// TestHeartbeatsAreSent as often as they are made. The SDK holds them back for
// four fifths of their time-out unless it is told otherwise: then a worker that
// stands still for two seconds counts as gone, and another one tells a ticket
// at the same time.
func TestHeartbeatsAreSent(t *testing.T) {
	t.Parallel()
	most := Options{}.effects(1).MaxHeartbeatThrottleInterval
	require.Positive(t, most)
	require.LessOrEqual(t, most, activities.PushHeartbeat)
}
