package workflows

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

// TestRecordedHistoriesReplay replays what earlier versions did. It fails when
// a change would break handoffs that are under way during a deploy; put the
// change behind workflow.GetVersion then, and record the new shape beside the
// old ones (make histories).
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(HandoffWorkflow)
			replayer.RegisterWorkflow(TicketWorkflow)
			replayer.RegisterWorkflow(EffectWorkflow)
			replayer.RegisterWorkflow(BriefingWorkflow)
			replayer.RegisterWorkflow(LadderWorkflow)
			replayer.RegisterWorkflow(RecipientWorkflow)
			logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(logger, file))
		})
	}
}
