package psa_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/psa"
)

func TestTicketURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind              psa.Kind
		address, id, want string
	}{
		{psa.KindConnectWise, "https://api-na.myconnectwise.net", "4711", "https://na.myconnectwise.net/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=4711"},
		{psa.KindConnectWise, "https://psa.msp.example/v4_6_release/", "1", "https://psa.msp.example/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=1"},
		{psa.KindAutotask, "https://webservices5.autotask.net/ATServicesRest/", "29683541", "https://ww5.autotask.net/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID=29683541"},
		{psa.KindAutotask, "", "1", ""}, // the zone is found out by the client
		{psa.KindAutotask, "https://proxy.example", "1", ""},
		{psa.KindHaloPSA, "https://msp.halopsa.com/api", "42", "https://msp.halopsa.com/ticket?id=42"},
		{psa.KindHaloPSA, "https://user:secret@msp.halopsa.com:8443?x=y", "42", "https://msp.halopsa.com:8443/ticket?id=42"},
		{psa.KindHaloPSA, "javascript:alert(1)", "42", ""},
		{psa.KindHaloPSA, "https://msp.halopsa.com", "", ""},
		{"other", "https://msp.example", "1", ""},
	} {
		require.Equal(t, c.want, psa.TicketURL(c.kind, c.address, c.id), "%s %s", c.kind, c.address)
	}
}

// TestTicketURLKeepsToItsSite: whatever a ticket is called, the link goes nowhere else.
func TestTicketURLKeepsToItsSite(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		link, err := url.Parse(psa.TicketURL(psa.KindHaloPSA, "https://msp.halopsa.com", rapid.StringN(1, 40, -1).Draw(t, "id")))
		require.NoError(t, err)
		require.Equal(t, "msp.halopsa.com", link.Host)
		require.Equal(t, "/ticket", link.Path)
		require.Len(t, link.Query(), 1)
		require.Empty(t, link.Fragment)
	})
}
