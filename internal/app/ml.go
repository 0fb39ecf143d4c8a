package app

import (
	"net/http"
	"path/filepath"
	"strings"

	"github.com/unhidra/unhidra/internal/inference"
	"github.com/unhidra/unhidra/internal/ml"
	"github.com/unhidra/unhidra/worker"
)

func (s *server) buildML() {
	c := s.Config
	s.modules.ml = ml.New(ml.Deps{
		On: c.ML.On, Dir: c.ModelsDir(), Scratch: filepath.Join(c.DataDir, "worker"), Python: c.ML.Python,
		Package: worker.FS(), Sandbox: ml.Sandbox(c.ML.Sandbox), Log: s.logs.Part("ml"), Metrics: s.reg,
		Settings: s.db.Server, Audit: s.modules.audit, Proofs: s.modules.auth, Token: OperatorToken(s.keys),
	})
	s.modules.inference = inference.New(s.modules.ml, s.logs.Part("ml"))
	s.run("models", s.modules.ml.Run)
}

// withModels adds what packages ml and inference answer to the operator's listener. Their bodies are larger than others
// there.
func (s *server) withModels(operator http.Handler) http.Handler {
	mux := http.NewServeMux()
	models := s.modules.ml.Handler()
	mux.Handle("/v2", models)
	mux.Handle("/v2/", models)
	mux.Handle("/internal/ml/", models)
	mux.Handle("/", operator)
	all := s.modules.inference.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grpc := strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
		if !grpc && !strings.HasPrefix(r.URL.Path, "/v2/") {
			all.ServeHTTP(w, r)
			return
		}
		ctx, span := s.tracer.Request(r.Context(), r.Method, r.URL.Path, r.Header.Get("traceparent"))
		defer span.End("", false) // what failed is said by the parts
		all.ServeHTTP(w, r.WithContext(ctx))
	})
}
