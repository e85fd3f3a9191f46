package transcript

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestSplitCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, command, output string }{
		{"powershell", "PS C:\\> Get-Date\n\nTuesday", "Get-Date", "Tuesday"},
		{"powershell in a folder", "PS C:\\Program Files\\x> dir\nempty", "dir", "empty"},
		{"remote powershell", "PS C:\\> Enter-PSSession SRV01\n[SRV01]: PS C:\\> hostname\nSRV01", "Enter-PSSession SRV01; hostname", "SRV01"},
		{"cmd", "C:\\>ipconfig\nWindows IP Configuration", "ipconfig", "Windows IP Configuration"},
		{"shell", "$ id\nuid=0(root)", "id", "uid=0(root)"},
		{"several", "$ a\n1\n$ b\n2", "a; b", "1\n2"},
		{"switch", "SW-1# show vlan\n1 default", "show vlan", "1 default"},
		{"no prompt", "ran the updater\nit failed", "ran the updater", "it failed"},
		{"a sign in the output is no prompt", "PS C:\\> x\n> y\n$ z", "x", "> y\n$ z"},
		{"an empty prompt at the end", "PS C:\\> x\n\nPS C:\\>", "x", ""},
		{"nothing", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			command, output := SplitCommand(c.in)
			require.Equal(t, c.command, command)
			require.Equal(t, c.output, output)
		})
	}
}

func TestIsError(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"Access is denied.":                                         true,
		"Request timed out.":                                        true,
		"Get-Printer : The specified name is bad":                   true,
		"    Last error: Non-retryable error":                       true,
		"Attempt Status : 0xc000006d":                               true,
		"TcpTestSucceeded : False":                                  true,
		"TCP port 135 (epmap service): FILTERED":                    true,
		"Last error: No error":                                      false,
		"SyncAll terminated with no errors.":                        false,
		"0 errors, 0 warnings":                                      false,
		"Errors: 0":                                                 false,
		"Successfully processed 1 files; Failed processing 0 files": false,
		"TcpTestSucceeded : True":                                   false,
		"Total    Copied   Skipped  Mismatch FAILED":                false,
		"Dedicated errand":                                          false,
	} {
		require.Equal(t, want, IsError(line), line)
	}
}

func TestResultOfAnAttempt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, result string
		lines              int
	}{
		{"one line is the result", "$ x\nok", "ok", 1},
		{"of several lines the error", "$ x\nStarting\nAccess is denied.\nDone", "Access is denied.", 3},
		{"of several errors the first sentence", "$ x\nResult: Failed\nThe disk is full: error 112", "The disk is full: error 112", 2},
		{"no line stands out", "$ x\na\n\nb", "", 2},
		{"no output", "$ x", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := NewAttempt(models.Step{Kind: models.StepCommand, Text: c.text})
			require.Equal(t, c.result, a.Result)
			require.Equal(t, c.lines, a.Lines)
		})
	}
}

func TestFailureKeepsWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	f := NewFailure(models.Step{Kind: models.StepCommand, Text: "$ x\nold\n\nTime: 1\nId: 2\nMessage: it failed\n  because\n\nlater"})
	require.Equal(t, "Time: 1\nId: 2\nMessage: it failed\n  because", f.Text)
	require.Equal(t, "x", f.From)

	require.Nil(t, NewFailure(models.Step{Kind: models.StepMessage, Actor: models.ActorUser, Text: "it failed"}), "talk is not an error")
	require.NotNil(t, NewFailure(models.Step{Kind: models.StepMessage, Actor: models.ActorSystem, Text: "job failed"}))
}

func TestPromise(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"told her we'd call back before 14:00":              "told her we'd call back before 14:00",
		"no idea. I told Tom it is fixed. what now?":        "I told Tom it is fixed.",
		"We will ring you at 3 pm":                          "We will ring you at 3 pm",
		"somebody will look at it tomorrow":                 "somebody will look at it tomorrow",
		"promised an update.\nnothing else":                 "promised an update.",
		"apologised to Helen. promised her one at 13:00":    "apologised to Helen. promised her one at 13:00",
		"I will try the other cable":                        "",
		"he told me it is broken":                           "",
		"they will call us back tomorrow between 9 and 10":  "",
		"which server are you on, can you see it at 10:00?": "",
	} {
		step := models.Step{Actor: models.ActorEngineer, Kind: models.StepMessage, Text: text}
		require.Equal(t, want, Promise(step), text)
		step.Actor = models.ActorUser
		require.Empty(t, Promise(step), "only engineers promise")
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, kind string
		want             []string
	}{
		{"hosts by parameter", "$ Get-Printer -ComputerName SRV-PRINT01", "Hosts", []string{"SRV-PRINT01"}},
		{"hosts by path", `copied from \\FS01\data to \\fs01\old`, "Hosts", []string{"FS01"}},
		{"short and full name are one host", "nslookup DC01\nServer:  dc01.acme.test", "Hosts", []string{"DC01"}},
		{"words are not hosts", "please ping me, or nslookup something", "Hosts", nil},
		{"a drive is not a host", `C:\\Users\\bob`, "Hosts", nil},
		{"addresses", "10.1.2.3 and 192.0.2.9:443, 10.1.2.3 again, net 10.1.0.0/16", "Addresses", []string{"10.1.2.3", "192.0.2.9", "10.1.0.0/16"}},
		{"masks, networks, versions and nonsense are not addresses", "255.255.255.0 10.0.0.0 127.0.0.1 version 3.1.0.4 v1.2.3.4 1.2.3.4.5 10.0.19045.4529 999.1.1.1", "Addresses", nil},
		{"systems", "Windows 11 Pro 23H2, Windows Server 2022 Standard", "Systems", []string{"Windows 11 Pro 23H2", "Windows Server 2022 Standard"}},
		{
			"software", "Outlook version 2409 (Build 16.0.18025.20104), CasePilot v9.4.2, KB5066131", "Software",
			[]string{"Outlook version 2409 (Build 16.0.18025.20104)", "CasePilot v9.4.2", "KB5066131"},
		},
		{"error codes", "0x80070005 0xc000006D 0x80070005 AADSTS50076 0x5c2d9f11", "Error codes", []string{"0x80070005", "0xc000006D", "AADSTS50076"}},
		{"event ids", "Id          : 1511\nNo event 7031 since noon", "Event ids", []string{"1511", "7031"}},
		{"accounts", "ned@vellacott.example, NED@vellacott.example.", "Accounts", []string{"ned@vellacott.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, l := range Facts([]models.Step{{Seq: 1, Text: c.text}}) {
				if l.Kind == c.kind {
					for _, f := range l.Facts {
						got = append(got, f.Text)
					}
				}
			}
			require.Equal(t, c.want, got)
		})
	}
	require.Empty(t, Facts([]models.Step{{Seq: 1, Actor: models.ActorAssistant, Text: "try 10.1.2.3"}}), "advice is not a fact")
}

func TestFactsNameTheirFirstStep(t *testing.T) {
	t.Parallel()
	lists := Facts([]models.Step{{Seq: 3, Text: "10.1.2.3"}, {Seq: 4, Text: "10.1.2.4 10.1.2.3"}})
	require.Equal(t, []FactList{{"Addresses", []Fact{{"10.1.2.3", 3}, {"10.1.2.4", 4}}}}, lists)
}
