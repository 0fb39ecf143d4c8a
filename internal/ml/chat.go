package ml

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	chatInput = "messages"
	chatWait  = time.Minute // for the first piece of an answer
)

// Chat has a model continue a conversation in a room, and hands each piece of the text to yield when it comes. The
// conversation is JSON: a list of objects with role and content, as OpenAI's chat completions have them. The model
// takes it as the text input messages and answers with the text output text_output. Chat ends when the answer does,
// with ctx, or when yield fails.
func (s *Service) Chat(ctx context.Context, model, room, conversation string, yield func(text string) error) error {
	m, _, err := s.Describe(model, 0)
	if err != nil {
		return err
	}
	isText := func(name string) func(Spec) bool {
		return func(spec Spec) bool { return spec.Name == name && spec.Type == "BYTES" }
	}
	if len(m.Inputs) != 1 || !isText(chatInput)(m.Inputs[0]) || !slices.ContainsFunc(m.Outputs, isText(textOutput)) {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest,
			"the model %q takes no conversations: it needs the text input %s alone, and the text output %s", model, chatInput,
			textOutput)
	}
	q := Request{Model: model, Units: map[Unit]string{ByRoom: room}, Inputs: []Tensor{TextTensor(chatInput, conversation)},
		Priority: Normal}
	return s.Stream(ctx, q, chatWait, func(a Answer) error {
		for _, t := range a.Outputs {
			if t.Name != textOutput {
				continue
			}
			texts, err := t.Texts()
			if err != nil {
				return err
			}
			for _, text := range texts {
				if err := yield(text); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
