package chaos

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m,
		// toxiproxy's server keeps one for its metrics.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/collectors.NewRuntimeMetricCollectors"))
}
