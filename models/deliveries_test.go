package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/models"
)

func TestQuietHours(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, berlin)
	}
	night := models.NotificationSettings{Zone: "Europe/Berlin", Quiet: &models.QuietHours{From: 22 * 60, To: 7 * 60}}
	noon := models.NotificationSettings{Zone: "Europe/Berlin", Quiet: &models.QuietHours{From: 12 * 60, To: 13 * 60}}
	early := models.NotificationSettings{Zone: "Europe/Berlin", Quiet: &models.QuietHours{From: 0, To: 2*60 + 30}}
	for _, tc := range []struct {
		name     string
		settings models.NotificationSettings
		now      time.Time
		until    time.Time // zero for not quiet
	}{
		{"before midnight", night, at(6, 10, 23, 0), at(6, 11, 7, 0)},
		{"after midnight", night, at(6, 11, 3, 0), at(6, 11, 7, 0)},
		{"as it begins", night, at(6, 10, 22, 0), at(6, 11, 7, 0)},
		{"as it ends", night, at(6, 11, 7, 0), time.Time{}},
		{"by day", night, at(6, 11, 12, 0), time.Time{}},
		{"at noon", noon, at(6, 11, 12, 59), at(6, 11, 13, 0)},
		{"after noon", noon, at(6, 11, 13, 1), time.Time{}},
		{"a short night in spring", night, at(3, 28, 23, 0), at(3, 29, 7, 0)},
		{"a long night in autumn", night, at(10, 24, 23, 0), at(10, 25, 7, 0)},
		// 02:30 is not on the clock that night; time.Date then takes 03:30, or 01:30.
		{"to an hour that is not", early, at(3, 29, 1, 0), time.Date(2026, 3, 29, 2, 30, 0, 0, berlin)},
		{"never", models.NotificationSettings{}, at(6, 10, 23, 0), time.Time{}},
		{"from and to the same", models.NotificationSettings{Quiet: &models.QuietHours{From: 60, To: 60}}, at(6, 10, 23, 0), time.Time{}},
	} {
		until, quiet := tc.settings.QuietUntil(tc.now)
		require.Equal(t, !tc.until.IsZero(), quiet, tc.name)
		if quiet {
			require.True(t, until.Equal(tc.until), "%s: %s", tc.name, until)
		}
	}
	until, _ := night.QuietUntil(at(3, 28, 22, 0))
	require.Equal(t, 8*time.Hour, until.Sub(at(3, 28, 22, 0)), "the clock goes forward")
	until, _ = night.QuietUntil(at(10, 24, 22, 0))
	require.Equal(t, 10*time.Hour, until.Sub(at(10, 24, 22, 0)), "and back")
}

// TestQuietHoursEnd holds that they always end, in the future, and that the end
// is not within others.
func TestQuietHoursEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := models.NotificationSettings{
			Zone:  rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Nowhere"}).Draw(t, "zone"),
			Quiet: &models.QuietHours{From: rapid.IntRange(0, 1439).Draw(t, "from"), To: rapid.IntRange(0, 1439).Draw(t, "to")},
		}
		now := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "now"), 0)
		until, quiet := s.QuietUntil(now)
		if !quiet {
			return
		}
		require.True(t, until.After(now))
		require.LessOrEqual(t, until.Sub(now), 26*time.Hour)
	})
}
