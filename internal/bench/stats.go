package bench

import (
	"math"
	"slices"
	"time"
)

// Spread is what several rounds measured: their median, least and greatest.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spread sums up one value per round. It is zero for no rounds.
func spread(rounds []float64) Spread {
	if len(rounds) == 0 {
		return Spread{}
	}
	return Spread{Median: quantile(rounds, 0.5), Min: slices.Min(rounds), Max: slices.Max(rounds)}
}

// quantile returns the value that a part q of the values does not exceed,
// between two neighbours by linear interpolation. It is NaN for no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// round is what one round measured of Baton and of its floor, in the same unit.
type round struct{ baton, floor []float64 }

// ofRounds takes a quantile of each round, of Baton, of the floor, and of the
// one divided by the other.
func ofRounds(rounds []round, batonQ, floorQ float64) (baton, floor, ratio Spread) {
	var b, f, r []float64
	for _, each := range rounds {
		over, under := quantile(each.baton, batonQ), quantile(each.floor, floorQ)
		b, f, r = append(b, over), append(f, under), append(r, over/under)
	}
	return spread(b), spread(f), spread(r)
}

// differences takes Baton's median minus the floor's, round by round.
func differences(rounds []round) Spread {
	var d []float64
	for _, each := range rounds {
		d = append(d, quantile(each.baton, 0.5)-quantile(each.floor, 0.5))
	}
	return spread(d)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
