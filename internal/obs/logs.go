package obs

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// LogOptions are the options of NewLogs.
type LogOptions struct {
	Level   string            // of every part that Levels does not name: debug, info, warn or error
	Levels  map[string]string // by part
	Repeats int               // see Logs; 0: every line is written
	// Names returns what the lines of a request are named by: its id, its connection. Nil: nothing.
	Names func(context.Context) []slog.Attr
}

// Logs makes the loggers of the parts of a server. Each line has its part, and the names of the
// request that it is of. Each part has a level of its own, which may be changed at any time.
//
// A warning or error that a part repeats is written at most LogOptions.Repeats times between two
// ticks of Run; how many more there were is then one line. Lines of other levels are all written:
// each tells of something that was done.
type Logs struct {
	o       LogOptions
	to      slog.Handler
	lines   *prometheus.CounterVec
	leftOut *prometheus.CounterVec
	repeats repeats

	mu    sync.Mutex
	parts map[string]*part
}

// A part is a part of the server that logs.
type part struct {
	name  string
	level slog.LevelVar
	start slog.Level
}

// NewLogs returns the logs of a server, which go to log, of whatever level that lets through.
func NewLogs(log *slog.Logger, o LogOptions) *Logs {
	return &Logs{
		o: o, to: log.Handler(), parts: make(map[string]*part), repeats: repeats{most: o.Repeats},
		lines: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "log_lines_total",
			Help: "Lines of the log, by part of the server and level, with those that were left out."},
			[]string{"part", "level"}),
		leftOut: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "log_lines_left_out_total",
			Help: "Warnings and errors that were not written, because their part repeated them too often."},
			[]string{"part", "level"}),
	}
}

// Watch registers how much is logged.
func (l *Logs) Watch(reg prometheus.Registerer) { reg.MustRegister(l.lines, l.leftOut) }

// Part returns the logger of a part.
func (l *Logs) Part(name string) *slog.Logger {
	next := l.to.WithAttrs([]slog.Attr{slog.String("part", name)})
	return slog.New(partHandler{logs: l, part: l.part(name), next: next})
}

func (l *Logs) part(name string) *part {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parts[name]
	if p == nil {
		p = &part{name: name, start: levelOf(l.o.Level)}
		if own := l.o.Levels[name]; own != "" {
			p.start = levelOf(own)
		}
		p.level.Set(p.start)
		l.parts[name] = p
		for _, level := range []string{"warn", "error"} { // so that they are there before the first
			l.lines.WithLabelValues(name, level)
			l.leftOut.WithLabelValues(name, level)
		}
	}
	return p
}

// Levels returns the level of each part.
func (l *Logs) Levels() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	levels := make(map[string]string, len(l.parts))
	for name, p := range l.parts {
		levels[name] = strings.ToLower(p.level.Level().String())
	}
	return levels
}

// SetLevels changes the level of some parts, until ResetLevels or the end of the process.
func (l *Logs) SetLevels(levels map[string]string) {
	for name, level := range levels {
		l.part(name).level.Set(levelOf(level))
	}
}

// ResetLevels gives each part the level that it started with.
func (l *Logs) ResetLevels() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.parts {
		p.level.Set(p.start)
	}
}

// partHandler writes the lines of a part.
type partHandler struct {
	logs  *Logs
	part  *part
	next  slog.Handler
	whole bool // repeats are written too
}

// Whole returns a logger that writes every line, also those that log would leave out as repeated:
// for lines of which each says something that is written nowhere else.
func Whole(log *slog.Logger) *slog.Logger {
	h, ok := log.Handler().(partHandler)
	if !ok {
		return log
	}
	h.whole = true
	return slog.New(h)
}

func (h partHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.part.level.Level() && h.next.Enabled(ctx, level)
}

func (h partHandler) Handle(ctx context.Context, r slog.Record) error {
	level := strings.ToLower(r.Level.String())
	h.logs.lines.WithLabelValues(h.part.name, level).Inc()
	if r.Level >= slog.LevelWarn && !h.whole && !h.logs.repeats.allow(repeated{h.part, r.Level, r.Message}) {
		h.logs.leftOut.WithLabelValues(h.part.name, level).Inc()
		return nil
	}
	if h.logs.o.Names != nil {
		r = named(r, h.logs.o.Names(ctx))
	}
	return h.next.Handle(ctx, r)
}

// named adds names to a line, but for those that it has.
func named(r slog.Record, names []slog.Attr) slog.Record {
	if len(names) == 0 {
		return r
	}
	has := make(map[string]bool, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool { has[a.Key] = true; return true })
	r = r.Clone()
	r.AddAttrs(slices.DeleteFunc(names, func(a slog.Attr) bool { return has[a.Key] })...)
	return r
}

func (h partHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.next = h.next.WithAttrs(attrs)
	return h
}

func (h partHandler) WithGroup(name string) slog.Handler {
	h.next = h.next.WithGroup(name)
	return h
}
