package feed

import (
	"testing"

	"github.com/baton-handoff/baton/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
