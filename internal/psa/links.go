package psa

import (
	"net/url"
	"strings"
)

// TicketURL is the page of a ticket in the PSA's own web application, for
// people who are signed in there; empty when the connection's address does not
// say where that is. The ticket is named by the id that the vendor's API has for it.
//
// Sources: ConnectWise's screen links ("fv_sr100_request.rails?service_recid="),
// Autotask's ExecuteCommand API ("OpenTicketDetail"), HaloPSA's ticket screen.
func TicketURL(kind Kind, address, ticketID string) string {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || ticketID == "" || at.Scheme != "https" && at.Scheme != "http" {
		return ""
	}
	page := url.URL{Scheme: at.Scheme, Host: at.Host}
	query := url.Values{}
	switch kind {
	case KindConnectWise:
		// The cloud's API has a host of its own beside that of the application.
		page.Host = strings.TrimPrefix(at.Host, "api-")
		page.Path = "/v4_6_release/services/system_io/Service/fv_sr100_request.rails"
		query.Set("service_recid", ticketID)
	case KindAutotask:
		zone, cloud := strings.CutPrefix(at.Host, "webservices")
		if !cloud {
			return ""
		}
		page.Host, page.Path = "ww"+zone, "/Autotask/AutotaskExtend/ExecuteCommand.aspx"
		query.Set("Code", "OpenTicketDetail")
		query.Set("TicketID", ticketID)
	case KindHaloPSA:
		page.Path = "/ticket"
		query.Set("id", ticketID)
	default:
		return ""
	}
	page.RawQuery = query.Encode()
	return page.String()
}
