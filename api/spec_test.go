package api

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

func loaded(t *testing.T) *spec {
	t.Helper()
	s, err := loadSpec()
	require.NoError(t, err)
	return s
}

func TestDescriptionIsValid(t *testing.T) {
	t.Parallel()
	require.NoError(t, loaded(t).doc.Validate(context.Background(), openapi3.EnableExamplesValidation()))
}

// TestDescriptionIsComplete holds what a reference has to say: who may call an
// operation, and words for every operation, parameter and answer.
func TestDescriptionIsComplete(t *testing.T) {
	t.Parallel()
	for path, item := range loaded(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			require.NotEmpty(t, op.OperationID, name)
			require.NotEmpty(t, op.Summary, name)
			require.NotEmpty(t, op.Description, name)
			require.Len(t, op.Tags, 1, name)
			require.NotEmpty(t, op.Extensions[roleExtension], name)
			for _, p := range op.Parameters {
				require.NotEmpty(t, p.Value.Description, "%s: %s", name, p.Value.Name)
			}
			public := op.Extensions[roleExtension] == "public"
			require.Equal(t, public, op.Responses.Status(401) == nil, "%s: who may get in and what is answered to those who may not", name)
			require.Equal(t, public, op.Security != nil && len(*op.Security) == 0, name)
			require.NotNil(t, op.Responses.Status(500), name)
			if op.RequestBody != nil {
				schema := op.RequestBody.Value.Content["application/json"].Schema.Value
				require.Equal(t, new(bool), schema.AdditionalProperties.Has, "%s takes unknown members", name)
			}
		}
	}
}

// TestDescribedBounds holds that the description and the domain have the same
// bounds.
func TestDescribedBounds(t *testing.T) {
	t.Parallel()
	doc := loaded(t).doc
	schema := func(name string) openapi3.Schemas { return doc.Components.Schemas[name].Value.Properties }
	for name, tc := range map[string]struct {
		described *uint64
		domain    int
	}{
		"notes":       {schema("NewHandoff")["engineer_notes"].Value.MaxLength, models.MaxNotes},
		"release":     {schema("Release")["note"].Value.MaxLength, models.MaxNotes},
		"reassign":    {schema("Reassign")["note"].Value.MaxLength, models.MaxNotes},
		"cancel":      {schema("Cancel")["note"].Value.MaxLength, models.MaxNotes},
		"resolution":  {schema("Resolve")["resolution"].Value.MaxLength, models.MaxNotes},
		"questions":   {schema("Return")["questions"].Value.MaxLength, models.MaxNotes},
		"answer":      {schema("Answer")["answer"].Value.MaxLength, models.MaxNotes},
		"title":       {schema("NewSession")["title"].Value.MaxLength, models.MaxTitle},
		"client":      {schema("NewSession")["client_name"].Value.MaxLength, models.MaxClientName},
		"problem":     {schema("NewSession")["problem"].Value.MaxLength, models.MaxProblem},
		"ticket":      {schema("NewSession")["psa_ticket"].Value.MaxLength, models.MaxTicket},
		"first steps": {schema("NewSession")["steps"].Value.MaxItems, models.MaxStepBatch},
		"batch":       {schema("NewSteps")["steps"].Value.MaxItems, models.MaxStepBatch},
		"step":        {schema("NewStep")["text"].Value.MaxLength, models.MaxStepText},
		"key":         {doc.Components.Parameters["IdempotencyKey"].Value.Schema.Value.MaxLength, models.MaxIdempotencyKey},
	} {
		require.NotNil(t, tc.described, name)
		require.EqualValues(t, tc.domain, *tc.described, name)
	}
	require.EqualValues(t, defaultLimit, doc.Components.Parameters["Limit"].Value.Schema.Value.Default)
	require.Contains(t, doc.Paths.Find("/api/v1/ai-sessions/{id}/steps").Post.Description, "2,000 steps and 1 MiB")
	require.Equal(t, 2000, models.MaxSteps)
	require.Equal(t, 1<<20, models.MaxSessionBytes)
}

// TestDescribedValues holds that what the domain can say, the description
// knows.
func TestDescribedValues(t *testing.T) {
	t.Parallel()
	for _, v := range []models.Verb{models.VerbCreate, models.VerbClaim, models.VerbRelease, models.VerbReassign, models.VerbResolve, models.VerbCancel, models.VerbReturn, models.VerbAnswer} {
		require.True(t, gen.Verb(v).Valid(), v)
	}
	for _, v := range []models.Status{models.StatusQueued, models.StatusClaimed, models.StatusReturned, models.StatusResolved, models.StatusCancelled} {
		require.True(t, gen.Status(v).Valid(), v)
	}
	for _, v := range []models.Priority{models.PriorityLow, models.PriorityNormal, models.PriorityHigh, models.PriorityCritical} {
		require.True(t, gen.Priority(v.String()).Valid(), v)
	}
	for _, v := range []models.EffectState{models.EffectPending, models.EffectRetrying, models.EffectDone, models.EffectFailed, models.EffectSkipped} {
		require.True(t, gen.EffectState(v).Valid(), v)
	}
	for _, v := range []models.Door{models.DoorAPI, models.DoorOperator, models.DoorSlack, models.DoorLink} {
		require.True(t, gen.Door(v).Valid(), v)
	}
	for _, v := range []models.QueueSort{models.SortPriority, models.SortOldest, models.SortNewest} {
		require.True(t, gen.QueueSort(v).Valid(), v)
	}
	doc := loaded(t).doc
	codes := doc.Components.Schemas["ProblemCode"].Value
	require.Len(t, codes.Enum, len(kinds))
	explained, ok := codes.Extensions["x-baton-codes"].(map[string]any)
	require.True(t, ok)
	require.Len(t, explained, len(kinds))
	for code, k := range kinds {
		require.True(t, gen.ProblemCode(code).Valid(), code)
		about, ok := explained[string(code)].(map[string]any)
		require.True(t, ok, code)
		require.EqualValues(t, k.status, about["status"], code)
		require.NotEmpty(t, about["means"], code)
	}
	stream := doc.Paths.Find(streamPath).Get.Description
	for _, v := range []models.EventType{models.EventCreated, models.EventClaimed, models.EventReleased, models.EventReassigned, models.EventResolved, models.EventCancelled, models.EventReturned, models.EventAnswered, models.EventUpdated, models.EventAssessmentReady, models.EventResync} {
		require.Contains(t, stream, "`"+string(v)+"`")
	}
}

// TestExamples holds that the examples of schemas are some.
func TestExamples(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, ref := range loaded(t).doc.Components.Schemas {
		for _, example := range ref.Value.Examples {
			seen++
			require.NoError(t, ref.Value.VisitJSON(example, openapi3.WithStringFormatValidators(formats)), name)
		}
	}
	require.Equal(t, 11, seen)
}

// TestFeedEventFitsItsSchema holds that the description of an event names the
// members that events have.
func TestFeedEventFitsItsSchema(t *testing.T) {
	t.Parallel()
	event := models.EventData{
		AccountID: account, HandoffID: handoffID, SessionID: sessionID, Version: 1, Generation: 1,
		Status: models.StatusQueued, Intent: models.IntentPark, Priority: models.PriorityLow, At: noon, CreatedAt: noon, HandedOffBy: sam,
		ReservedUntil: &noon, QueuedAt: &noon, ClaimBy: &noon,
		Effect:        &models.EffectEvent{Kind: models.EffectPSA, State: models.EffectRetrying},
		Ticket:        &models.TicketEvent{Status: "New"},
		Ladder:        &models.LadderEvent{State: models.LadderCalling},
		Notifications: map[models.DeliveryState]int{models.DeliveryDone: 1},
	}
	data, err := json.Marshal(event)
	require.NoError(t, err)
	var value map[string]any
	require.NoError(t, json.Unmarshal(data, &value))
	schema := loaded(t).doc.Components.Schemas["FeedEvent"].Value
	require.NoError(t, schema.VisitJSON(value))
	for name := range value {
		require.Contains(t, schema.Properties, name)
	}
	require.Len(t, schema.Properties, len(value))
}

// TestRequestSchemasKeepToWhatIsChecked holds that requests are described with
// the keywords that checkValue enforces, and with no others.
func TestRequestSchemasKeepToWhatIsChecked(t *testing.T) {
	t.Parallel()
	enforced := strings.Fields("$ref type properties required additionalProperties items oneOf enum format minLength maxLength minItems maxItems minimum maximum pattern default description examples x-baton-pattern x-go-type x-go-type-import")
	var check func(at string, ref *openapi3.SchemaRef)
	check = func(at string, ref *openapi3.SchemaRef) {
		data, err := json.Marshal(ref.Value)
		require.NoError(t, err)
		var keywords map[string]any
		require.NoError(t, json.Unmarshal(data, &keywords))
		for keyword := range keywords {
			require.True(t, slices.Contains(enforced, keyword), "%s: %s is not enforced", at, keyword)
		}
		for name, property := range ref.Value.Properties {
			check(at+"/"+name, property)
		}
		if ref.Value.Items != nil {
			check(at+"/items", ref.Value.Items)
		}
		for _, alternative := range ref.Value.OneOf {
			check(at+"/oneOf", alternative)
		}
		// A bound of one side would need words of its own.
		require.Equal(t, ref.Value.Min == nil, ref.Value.Max == nil, at)
		require.Equal(t, ref.Value.Pattern == "", ref.Value.Extensions["x-baton-pattern"] == nil, at)
	}
	for path, item := range loaded(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
				check(method+" "+path+" "+p.Value.Name, p.Value.Schema)
			}
			if op.RequestBody != nil {
				check(method+" "+path, op.RequestBody.Value.Content["application/json"].Schema)
			}
		}
	}
}

// TestPublishedDescription holds that /openapi.json says what openapi.yaml
// says, in the same order.
func TestPublishedDescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(ask("GET", "/openapi.json", "", header("Authorization", "")))
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	published, err := openapi3.NewLoader().LoadFromData(rec.Body.Bytes())
	require.NoError(t, err)
	want, err := json.Marshal(loaded(t).doc)
	require.NoError(t, err)
	got, err := json.Marshal(published)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
	body := rec.Body.String()
	require.True(t, strings.HasPrefix(body, `{"openapi":"3.1.0","info":{"title":"Baton"`))
	require.Less(t, strings.Index(body, `"session_id"`), strings.Index(body, `"account_id"`))
}

func TestAccessOfDescription(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Engineer", "root", "signed_in"} {
		_, err := parseAccess(name)
		require.Error(t, err, name)
	}
}

// TestGeneratedFromThisDescription guards against generated code of another
// version of the description; `make generate` compares every byte.
func TestGeneratedFromThisDescription(t *testing.T) {
	t.Parallel()
	generated, err := os.ReadFile("gen/api.gen.go")
	require.NoError(t, err)
	for path, item := range loaded(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			switch op.OperationID {
			case "streamEvents", "getMetrics", "getOpenAPI", "receivePSACallback", "receiveSlackInteraction", "openClaimLink", "confirmClaimLink":
				continue // routed by hand
			}
			require.Contains(t, string(generated), "("+method+" "+path+")")
		}
	}
}
