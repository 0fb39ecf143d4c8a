package httpx

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// problems is the name of the response in the OpenAPI document that all errors share.
const problems = "Problem"

func describeProblems(registry huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{problems: {
		Description: "A problem document (RFC 9457); its kind and code say what to do.",
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: registry.Schema(
			reflect.TypeFor[Problem](), true, problems)}},
	}}
}

// document adds to op every error status it may return: those that follow from its properties, and
// those in op.Errors. Clients may rely on there being no others; make fuzz-api checks that.
func document(op *huma.Operation) {
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	for _, status := range append(refusals(op), op.Errors...) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + problems}
	}
	op.Errors = nil
}

func refusals(op *huma.Operation) []int {
	all := []int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if len(op.Security) > 0 {
		all = append(all, http.StatusUnauthorized, http.StatusForbidden)
	}
	// what the path or body refers to may not exist
	if strings.Contains(op.Path, "{") || op.Method != http.MethodGet && len(op.Security) > 0 {
		all = append(all, http.StatusNotFound)
	}
	if op.Method != http.MethodGet {
		all = append(all, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests)
		if len(op.Security) == 0 { // it takes other credentials than an access token
			all = append(all, http.StatusUnauthorized)
		}
	}
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, op.Method) {
		all = append(all, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return all
}
