package briefing

import (
	"strings"
	"testing"

	"github.com/baton-handoff/baton/models"
)

// largest is the largest session that the API takes.
func largest(t testing.TB) Input {
	t.Helper()
	in := sessions(t)["vpn-broken-after-update"]
	all, size := in.Steps, 0
	in.Steps = nil
	for i := 0; i < models.MaxSteps; i++ {
		step := all[i%len(all)]
		step.Seq = i + 1
		step.Text += strings.Repeat("\nid=65308 trace_id=11 func=vf_ip_route_input_common line=2605 msg=\"find a route: flag=00000000 gw-10.20.1.21 via internal\"", 2)
		if size += len(step.Text); size > models.MaxSessionBytes {
			break
		}
		in.Steps = append(in.Steps, step)
	}
	return in
}

func BenchmarkRules(b *testing.B) {
	in := sessions(b)["vpn-broken-after-update"]
	for b.Loop() {
		Rules(in)
	}
}

func BenchmarkRulesLargest(b *testing.B) {
	in := largest(b)
	for b.Loop() {
		Rules(in)
	}
}

func BenchmarkQuestionLargest(b *testing.B) {
	in := largest(b)
	rules := Rules(in)
	for b.Loop() {
		Question(in, rules, 0)
	}
}

func BenchmarkCheck(b *testing.B) {
	in := sessions(b)["vpn-broken-after-update"]
	rules, raw := Rules(in), encodeAnswer(b, goodAnswer())
	for b.Loop() {
		if _, _, err := Check(in, rules, Cut{}, raw); err != nil {
			b.Fatal(err)
		}
	}
}
