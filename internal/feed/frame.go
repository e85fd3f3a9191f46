package feed

import (
	"github.com/baton-handoff/baton/models"
)

// Reason says why a reader is told to resync, which means: something may be
// missing, load the queue anew, then go on from the id of this frame.
type Reason string

// The reasons of a resync.
const (
	// ReasonEpoch: the numbers of the feed began anew, as after a restore.
	ReasonEpoch Reason = "epoch"
	// ReasonExpired: events that the reader has not seen are no longer kept.
	ReasonExpired Reason = "expired"
	// ReasonUnknownID: the last id is not one that this feed has given.
	ReasonUnknownID Reason = "unknown_id"
	// ReasonSlow: the reader did not keep up; its stream ends after the frame.
	ReasonSlow Reason = "slow"
)

// eventFrame renders an event as one complete SSE frame.
func eventFrame(epoch int64, e models.FeedEvent) []byte {
	return frame(position{epoch, e.Seq}, string(e.Type), e.Data)
}

func resyncFrame(at position, why Reason) []byte {
	return frame(at, string(models.EventResync), []byte(`{"reason":"`+string(why)+`"}`))
}

func frame(id position, event string, data []byte) []byte {
	const syntax = len("id: -\nevent: \ndata: \n\n") + 2*len("9223372036854775807")
	b := make([]byte, 0, syntax+len(event)+len(data))
	b = append(b, "id: "...)
	b = id.append(b)
	b = append(b, "\nevent: "...)
	b = appendLine(b, event)
	b = append(b, "\ndata: "...)
	b = appendLine(b, data)
	return append(b, "\n\n"...)
}

// appendLine appends text with its line breaks turned into spaces. A line
// break would end the SSE field, and let what follows pass for another. In
// JSON a raw one can only stand between tokens, where a space means the same.
func appendLine[T string | []byte](b []byte, text T) []byte {
	start := len(b)
	b = append(b, text...)
	for i := start; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' {
			b[i] = ' '
		}
	}
	return b
}
