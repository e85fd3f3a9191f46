package llm

import (
	"fmt"
	"math"
	"strings"
)

// MicroUSD is money, in millionths of a US dollar.
type MicroUSD int64

const microPerUSD = 1_000_000

// ParseUSD reads an amount in dollars, such as "3" or "0.15", exactly: at most
// six places, and at most a billion dollars.
func ParseUSD(s string) (MicroUSD, error) {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), "$"), ".")
	if whole == "" || len(whole) > 9 || len(fraction) > 6 || point && fraction == "" {
		return 0, fmt.Errorf("%q is not an amount in dollars; it has to be like 3 or 0.15", s)
	}
	var n int64
	for _, r := range whole + fraction + strings.Repeat("0", 6-len(fraction)) {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("%q is not an amount in dollars; it has to be like 3 or 0.15", s)
		}
		n = n*10 + int64(r-'0')
	}
	return MicroUSD(n), nil
}

// String is the amount in dollars, such as "$0.0123".
func (m MicroUSD) String() string {
	sign := ""
	u := uint64(m)
	if m < 0 {
		sign, u = "-", -u
	}
	fraction := strings.TrimRight(fmt.Sprintf("%06d", u%microPerUSD), "0")
	return fmt.Sprintf("%s$%d.%s", sign, u/microPerUSD, fraction+strings.Repeat("0", max(0, 2-len(fraction))))
}

// UnmarshalText reads an amount in dollars, for settings.
func (m *MicroUSD) UnmarshalText(text []byte) (err error) {
	*m, err = ParseUSD(string(text))
	return err
}

// Price is what a million tokens cost. The zero value is a model that costs
// nothing, such as one on a machine of one's own.
type Price struct {
	Input  MicroUSD
	Output MicroUSD
	// CachedInput and CacheWrite count like Input when they are zero.
	CachedInput MicroUSD
	CacheWrite  MicroUSD
}

// Cost is the price of a call, rounded up to a millionth of a dollar. It
// cannot overflow: a sum over the int64 counts as the largest one.
func (p Price) Cost(u Usage) MicroUSD {
	orInput := func(m MicroUSD) MicroUSD {
		if m == 0 {
			return p.Input
		}
		return m
	}
	u = u.Bounded()
	var sum MicroUSD // in millionths of a micro-dollar
	for _, part := range []struct {
		tokens int64
		price  MicroUSD
	}{
		{u.Input, p.Input},
		{u.CachedInput, orInput(p.CachedInput)},
		{u.CacheWrite, orInput(p.CacheWrite)},
		{u.Output, p.Output},
	} {
		price := max(part.price, 0)
		if part.tokens > 0 && price > (math.MaxInt64-sum-microPerUSD)/MicroUSD(part.tokens) {
			return math.MaxInt64
		}
		sum += price * MicroUSD(part.tokens)
	}
	return (sum + microPerUSD - 1) / microPerUSD
}
