import triton_python_backend_utils as pb_utils

SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160]
TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]
COUNTERS = {
    "vllm:prompt_tokens_total": "Number of prefill tokens processed.",
    "vllm:generation_tokens_total": "Number of generation tokens processed.",
    # vLLM has these two itself, but its Triton backend does not report them.
    "vllm:prefix_cache_queries": "Prompt tokens that were looked for in the cache.",
    "vllm:prefix_cache_hits": "Prompt tokens that were found in the cache.",
}
HISTOGRAMS = {
    "vllm:time_to_first_token_seconds": ("Time to the first token in seconds.", SECONDS),
    "vllm:time_per_output_token_seconds": ("Time per further token in seconds.", SECONDS),
    "vllm:e2e_request_latency_seconds": ("Time of the whole request in seconds.", SECONDS),
    "vllm:request_prompt_tokens": ("Prompt tokens of a request.", TOKENS),
    "vllm:request_generation_tokens": ("Generated tokens of a request.", TOKENS),
}


class Metrics:
    """Under the names of vLLM's backend. For one thread only: the server crashes when two report at once."""

    def __init__(self, labels):
        kinds = pb_utils.MetricFamily
        self.families = []
        self.metrics = {}
        for name, about in COUNTERS.items():
            family = kinds(name=name, description=about, kind=kinds.COUNTER)
            self.families.append(family)
            self.metrics[name] = family.Metric(labels=labels)
        for name, (about, buckets) in HISTOGRAMS.items():
            family = kinds(name=name, description=about, kind=kinds.HISTOGRAM)
            self.families.append(family)
            self.metrics[name] = family.Metric(labels=labels, buckets=buckets)

    def count(self, name, value):
        self.metrics[f"vllm:{name}"].increment(value)

    def observe(self, name, value):
        self.metrics[f"vllm:{name}"].observe(value)

    def report(self, answer, began, first, ended):
        """A request that has been answered; the times are in seconds of one clock."""
        self.count("prompt_tokens_total", answer.input_tokens)
        self.count("generation_tokens_total", answer.output_tokens)
        self.count("prefix_cache_queries", answer.input_tokens)
        self.count("prefix_cache_hits", answer.cached_tokens)
        self.observe("e2e_request_latency_seconds", ended - began)
        self.observe("request_prompt_tokens", answer.input_tokens)
        self.observe("request_generation_tokens", answer.output_tokens)
        if first is None:
            return
        self.observe("time_to_first_token_seconds", first - began)
        if answer.output_tokens > 1:
            further = (ended - first) / (answer.output_tokens - 1)
            self.observe("time_per_output_token_seconds", further)

    def close(self):
        # A metric must not outlive its family.
        self.metrics.clear()
        self.families.clear()
