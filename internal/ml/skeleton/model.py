from unhidra_worker import Model, ModelError, Tensor


class Predictor(Model):
    def load(self):
        # Read weights from self.folder here: this runs once, before the first request.
        self.longest = 1000

    def predict(self, batch, context):
        # A batch has several requests, each with the inputs that model.toml names.
        return [{"length": self.lengths(inputs["text"].texts())} for inputs in batch]

    def lengths(self, texts):
        if any(len(t) > self.longest for t in texts):
            raise ModelError(f"a text may have {self.longest} characters")
        return Tensor.numbers_of([len(t) for t in texts], "INT64")
