package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain words, and 3 > 2.":           "plain words, and 3 > 2.",
		"R&D &amp; co":                      "R&D &amp;amp; co",
		"a *b* _c_ `d` [e] ~f~ |g|":         `a \*b\* \_c\_ \` + "`d\\`" + ` \[e\] \~f\~ \|g\|`,
		"<b>":                               "&lt;b>",
		"# no":                              `\# no`,
		"- no":                              `\- no`,
		"1. no":                             `1\. no`,
		"> no":                              "&gt; no",
		"see (http://evil.test/a_b).":       "see (`http://evil.test/a_b`).",
		`on C:\Dumps, ok`:                   "on `C:\\Dumps`, ok",
		"ask ned@vellacott.example!":        "ask `ned@vellacott.example`!",
		"runs outlook.exe at 9.45 e.g. now": "runs `outlook.exe` at 9.45 e.g. now",
		"x.y`z.test":                        "``x.y`z.test``",
		"  spaces   stay  inside  ":         "spaces   stay  inside",
	} {
		require.Equal(t, want, escape(in), in)
	}
}
