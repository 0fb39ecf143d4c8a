package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// zapBridge writes certmagic's log at debug level. What matters to the operator is logged by this
// package.
type zapBridge struct{ log *slog.Logger }

// Enabled implements zapcore.Core.
func (b zapBridge) Enabled(zapcore.Level) bool {
	return b.log.Enabled(context.Background(), slog.LevelDebug)
}

// With implements zapcore.Core.
func (b zapBridge) With(fields []zapcore.Field) zapcore.Core {
	return zapBridge{b.log.With(attrs(fields)...)}
}

// Check implements zapcore.Core.
func (b zapBridge) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return c.AddCore(e, b)
	}
	return c
}

// Write implements zapcore.Core.
func (b zapBridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	b.log.Debug("certmagic: "+e.Message, attrs(fields)...)
	return nil
}

// Sync implements zapcore.Core.
func (b zapBridge) Sync() error { return nil }

func attrs(fields []zapcore.Field) []any {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	args := make([]any, 0, len(m.Fields))
	for k, v := range m.Fields {
		args = append(args, slog.Any(k, v))
	}
	return args
}
