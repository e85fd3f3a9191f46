package config

import (
	"slices"
	"strings"
)

// nearest returns the known name that a mistaken one was probably meant to be,
// or "" when none is near.
func nearest(name string, known []string) string {
	bare := strings.TrimPrefix(name, ours)
	if slices.Contains(known, bare) {
		return bare // BATON_DATABASE_URL
	}
	best, least := "", 4
	for _, k := range known {
		if strings.HasSuffix(k, "_"+bare) {
			return k // BATON_ISSUER
		}
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be inserted, deleted or replaced to
// turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
