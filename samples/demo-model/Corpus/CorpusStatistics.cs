using System.Globalization;

namespace Llama2.DemoModel;

/// <summary>Counts over a corpus: rows, labels, distinct texts, vocabulary, lengths.</summary>
internal sealed class CorpusStatistics(Func<string, int>? countTokens = null)
{
    private readonly SortedDictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly HashSet<ulong> _rows = [], _requests = [], _answers = [];
    private readonly Dictionary<string, int> _vocabulary = [];
    private readonly SortedDictionary<string, List<int>> _lengths = new(StringComparer.Ordinal);

    public int Rows { get; private set; }

    public int DistinctRows => _rows.Count;

    public int Vocabulary => _vocabulary.Count;

    /// <summary>Gets the number of rows by "task/label".</summary>
    public IReadOnlyDictionary<string, int> Labels => _labels;

    public void Add(CorpusRow row)
    {
        Rows++;
        string key = $"{row.Task}/{row.Label}";
        _labels[key] = _labels.GetValueOrDefault(key) + 1;
        string request = row.Messages[^2].Content, answer = row.Messages[^1].Content;
        string whole = string.Join('\n', row.Messages.Select(message => message.Content));
        _rows.Add(HeldOut.Hash(whole));
        _requests.Add(HeldOut.Hash(request));
        _answers.Add(HeldOut.Hash(answer));
        int words = 0;
        foreach (string word in whole.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            words++;
            string bare = word.Trim('.', ',', '!', '?', ':', '"', '\'', '(', ')').ToLowerInvariant();
            _vocabulary[bare] = _vocabulary.GetValueOrDefault(bare) + 1;
        }

        Length($"{row.Task} words", words);
        Length($"{row.Task} answer words", answer.Count(c => c == ' ') + 1);
        if (countTokens is not null)
        {
            Length($"{row.Task} tokens", countTokens(whole));
            Length($"{row.Task} answer tokens", countTokens(answer));
        }
    }

    public void Print(TextWriter output)
    {
        output.WriteLine(Invariant($"rows              {Rows:N0}"));
        output.WriteLine(Invariant($"distinct rows     {DistinctRows:N0}"));
        output.WriteLine(Invariant($"distinct requests {_requests.Count:N0}"));
        output.WriteLine(Invariant($"distinct answers  {_answers.Count:N0}"));
        output.WriteLine(Invariant($"vocabulary        {Vocabulary:N0} words, {_vocabulary.Values.Count(count => count >= 10):N0} of them 10 times or more"));
        foreach ((string name, List<int> lengths) in _lengths)
        {
            lengths.Sort();
            output.WriteLine(Invariant(
                $"{name,-22} mean {lengths.Average():F1}, median {At(lengths, 0.5)}, 99 % {At(lengths, 0.99)}, most {lengths[^1]}"));
        }

        foreach ((string label, int count) in _labels)
        {
            output.WriteLine(Invariant($"{label,-30} {count,9:N0}"));
        }
    }

    private void Length(string name, int length)
    {
        if (!_lengths.TryGetValue(name, out List<int>? lengths))
        {
            lengths = _lengths[name] = [];
        }

        lengths.Add(length);
    }

    private static int At(List<int> sorted, double share) => sorted[(int)(sorted.Count * share)];

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
