namespace Llama2;

/// <summary><c>logit_bias</c>: adds to the logits of some tokens.</summary>
internal sealed class LogitBiasProcessor(IReadOnlyDictionary<int, float> biases) : ILogitsProcessor
{
    private readonly KeyValuePair<int, float>[] _biases = [.. biases];

    public void Process(Span<float> logits, TokenHistory history)
    {
        foreach ((int id, float bias) in _biases)
        {
            logits[id] += bias;
        }
    }
}
