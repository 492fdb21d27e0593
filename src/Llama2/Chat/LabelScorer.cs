namespace Llama2;

/// <summary>The probabilities of answers, from the tokens that a model would generate for each. Thread-safe.</summary>
internal sealed class LabelScorer
{
    private readonly string[] _labels;
    private readonly List<int[]> _continuations = [];      // tokens of an answer with one of its ends
    private readonly List<int> _owners = [];               // the label of each

    /// <param name="labels">The answers.</param>
    /// <param name="answers">The tokens of each as the chat template writes them, its end included.</param>
    /// <param name="endIds">The tokens that end a text.</param>
    /// <param name="tokenizer">Tells which tokens are white space.</param>
    /// <exception cref="ArgumentException">Two labels have the same tokens.</exception>
    public LabelScorer(string[] labels, IReadOnlyList<int[]> answers, IReadOnlyCollection<int> endIds, LlamaTokenizer tokenizer)
    {
        _labels = labels;
        int[] ends = endIds.Count > 0 ? [.. endIds.Distinct()] : [tokenizer.EndOfTextId];
        for (int label = 0; label < labels.Length; label++)
        {
            int end = answers[label].AsSpan().IndexOfAny(ends);
            int[] whole = end < 0 ? answers[label] : answers[label][..end];
            int[] bare = WithoutSpace(whole, tokenizer);
            foreach (int[] body in bare.Length == whole.Length ? [whole] : (int[][])[whole, bare])
            {
                Add(label, body, ends);
            }
        }
    }

    /// <summary>What the engine is to score behind the prompt.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Continuations => _continuations;

    /// <summary>The tokens of the longest answer.</summary>
    public int LongestAnswer => _continuations.Max(continuation => continuation.Length);

    /// <param name="scores">The scores of the <see cref="Continuations"/>.</param>
    public LabelProbability[] Probabilities(IReadOnlyList<IReadOnlyList<ScoredToken>> scores)
    {
        double[] logs = [.. _continuations.Select((_, i) => scores[i].Sum(score => (double)score.Token.LogProbability))];
        double[] labels = [.. _labels.Select((_, label) => LogSum(logs.Where((_, i) => _owners[i] == label)))];
        double all = LogSum(labels);
        return [.. _labels.Select((label, i) => new LabelProbability(label, Math.Exp(labels[i] - all), Math.Min(0, labels[i])))];
    }

    /// <summary>ln Σ exp(x), where exp(x) itself may be too small for a number.</summary>
    private static double LogSum(IEnumerable<double> values)
    {
        double max = values.Max();
        return max + Math.Log(values.Sum(value => Math.Exp(value - max)));
    }

    private static int[] WithoutSpace(int[] tokens, LlamaTokenizer tokenizer)
    {
        int length = tokens.Length;
        while (length > 1 && tokenizer.GetBytes(tokens[length - 1]) is { Length: > 0 } bytes && !bytes.ContainsAnyExcept(" \t\r\n"u8))
        {
            length--;
        }

        return tokens[..length];
    }

    private void Add(int label, int[] body, int[] ends)
    {
        foreach (int end in ends)
        {
            int[] continuation = [.. body, end];
            int known = _continuations.FindIndex(other => other.AsSpan().SequenceEqual(continuation));
            if (known >= 0)
            {
                throw new ArgumentException($"The labels '{_labels[_owners[known]]}' and '{_labels[label]}' are the same to the model.");
            }

            _continuations.Add(continuation);
            _owners.Add(label);
        }
    }
}
