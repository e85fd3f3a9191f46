package api

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// Options is what a [Server] needs. Auth, Handoffs, Records, Feed and Logger
// have to be set; everything else has a default.
type Options struct {
	Auth     Authenticator
	Handoffs Handoffs
	Records  Records
	Feed     Feed
	// Sessions recognizes browsers that are signed in; without it, only bearer
	// tokens are.
	Sessions Sessions
	// Connections answers /psa; without it, that is a 404.
	Connections Connections
	// Channels answers /notifications/channels, and Doors claims by Slack and by
	// links; without them, that is a 404.
	Channels Channels
	Doors    Doors
	// Checks are what /readyz asks.
	Checks []Check
	Logger *slog.Logger
	// Version of the server, which /healthz tells.
	Version string

	// Redaction finds credentials in texts; without it nobody is warned of them.
	Redaction Redaction

	// AllowedOrigins are the origins, such as https://app.example.com, whose
	// scripts may call the API with credentials. None by default; there is no
	// way to allow all.
	AllowedOrigins []string
	// TemporalUIURL and Namespace make links to workflows; without a URL there
	// are none.
	TemporalUIURL string
	Namespace     string

	// Model is the id of the language model that briefs; empty without one.
	// ModelBudget is what it may cost an account a month if the account does not
	// say otherwise, in millionths of a US dollar.
	Model       string
	ModelBudget int64

	// MaxBody bounds a request's body, in bytes; 256 KiB by default.
	MaxBody int64
	// RequestTimeout bounds everything but the stream; 10 s by default.
	RequestTimeout time.Duration

	// StreamKeepalive is how long a stream may be silent; 25 s by default.
	StreamKeepalive time.Duration
	// StreamWriteTimeout bounds every write to a stream; 10 s by default.
	StreamWriteTimeout time.Duration
	// ReauthEvery is about how often a stream asks whether its reader may still
	// read; 30 s by default.
	ReauthEvery time.Duration
	// MaxStreams bounds the streams that are open at a time; 0 is no bound.
	MaxStreams int

	// Metrics answers /metrics; without it that is a 404.
	Metrics http.Handler
	// Observe is told of every request when it has ended. Route is the pattern,
	// such as /api/v1/ai-sessions/:id, and empty when none fits. The duration of
	// a stream is how long it was open.
	Observe func(route, method string, status int, took time.Duration)
	// Fallback answers GET and HEAD outside /api/ where the API has nothing: the
	// console. Without it that is a 404.
	Fallback http.Handler
}

// Server serves the API.
type Server struct {
	o       Options
	spec    *spec
	engine  *gin.Engine
	streams streams
}

// New builds a server. It fails when an option is missing or wrong.
func New(o Options) (*Server, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	sp, err := loadSpec()
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode) // or gin prints its routes
	s := &Server{o: o, spec: sp, engine: gin.New(), streams: streams{most: o.MaxStreams}}
	s.routes()
	return s, s.checkRoutes()
}

func (o Options) complete() (Options, error) {
	if o.Auth == nil || o.Handoffs == nil || o.Records == nil || o.Feed == nil || o.Logger == nil {
		return o, errors.New("api: Auth, Handoffs, Records, Feed and Logger have to be set")
	}
	for _, origin := range o.AllowedOrigins {
		if !validOrigin(origin) {
			return o, fmt.Errorf("api: allowed origin %q is not of the form https://app.example.com", origin)
		}
	}
	o.MaxBody = cmp.Or(o.MaxBody, 256<<10)
	o.RequestTimeout = cmp.Or(o.RequestTimeout, 10*time.Second)
	o.StreamKeepalive = cmp.Or(o.StreamKeepalive, 25*time.Second)
	o.StreamWriteTimeout = cmp.Or(o.StreamWriteTimeout, 10*time.Second)
	o.ReauthEvery = cmp.Or(o.ReauthEvery, 30*time.Second)
	return o, nil
}

func (s *Server) routes() {
	e := s.engine
	e.ContextWithFallback = true // or handlers would miss the request's deadline
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // a redirected POST loses its body
	_ = e.SetTrustedProxies(nil)    // cannot fail without proxies
	e.Use(s.observe, s.headers)
	e.NoRoute(s.noRoute)
	e.NoMethod(func(c *gin.Context) {
		s.fail(c, models.Errorf(codeMethodNotAllowed, "%s is not possible here. Use %s.", c.Request.Method, c.Writer.Header().Get("Allow")))
	})

	described := e.Group("/", s.admit, s.validate, s.seen)
	gen.RegisterHandlersWithOptions(described,
		gen.NewStrictHandlerWithOptions(handlers{s}, nil, gen.StrictGinServerOptions{
			RequestErrorHandlerFunc:  s.fail,
			HandlerErrorFunc:         s.fail,
			ResponseErrorHandlerFunc: s.fail,
		}),
		gen.GinServerOptions{BaseURL: "", Middlewares: nil, ErrorHandler: func(c *gin.Context, err error, _ int) { s.fail(c, err) }})
	described.GET(streamRoute, s.stream)
	described.POST("/api/v1/psa/callbacks/:token", s.psaCallback)
	described.POST("/api/v1/slack/interactions", s.slackInteraction)
	described.GET("/claim/:token", s.openClaim)
	described.POST("/claim/:token", s.confirmClaim)
	described.GET("/metrics", s.metrics)
	described.GET("/openapi.json", s.openAPI)
	s.docs(e)
}

// checkRoutes fails when what is served and what is described differ, apart
// from the reference itself. So nothing is served without its access rule.
func (s *Server) checkRoutes() error {
	served := map[route]bool{}
	for _, r := range s.engine.Routes() {
		at := route{r.Method, r.Path}
		served[at] = true
		if s.spec.operations[at] == nil && !strings.HasPrefix(r.Path, "/docs") {
			return fmt.Errorf("api: %s %s is served and not described", r.Method, r.Path)
		}
	}
	for at, op := range s.spec.operations {
		if !served[at] {
			return fmt.Errorf("api: %s is described and not served", op.id)
		}
	}
	return nil
}

// operation is the description of what c calls, nil when it is outside the
// description.
func (s *Server) operation(c *gin.Context) *operation {
	return s.spec.operations[route{c.Request.Method, c.FullPath()}]
}

// Handle serves something beside the description, such as a development tool
// or a webhook: public as far as this package is concerned. It has to be
// called before the server serves.
func (s *Server) Handle(method, path string, h http.Handler) {
	s.engine.Handle(method, path, gin.WrapH(h))
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == streamRoute {
		s.serveStream(w, r)
		return
	}
	if r.Method == http.MethodHead {
		// A HEAD is a GET whose body net/http leaves out. The stream has no end.
		get := *r
		get.Method = http.MethodGet
		r = &get
	}
	s.engine.ServeHTTP(w, r)
}

func (s *Server) noRoute(c *gin.Context) {
	reads := c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead
	if s.o.Fallback == nil && reads && c.Request.URL.Path == "/" {
		c.Redirect(http.StatusFound, "/docs")
		return
	}
	if s.o.Fallback != nil && reads && !strings.HasPrefix(c.Request.URL.Path, "/api/") {
		c.Status(http.StatusOK) // gin has set 404 already
		s.o.Fallback.ServeHTTP(c.Writer, c.Request)
		return
	}
	s.fail(c, models.Errorf(models.CodeNotFound, "There is nothing at this address."))
}
