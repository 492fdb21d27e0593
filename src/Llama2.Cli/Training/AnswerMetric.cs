using Llama2.Evaluation;
using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Lets a model that is being trained answer the validation rows, and measures the answers.</summary>
/// <remarks>The prompts are the ids in front of each row's last answer, so they are what inference reads. Answers are greedy.</remarks>
internal sealed class AnswerMetric
{
    private const int SpareTokens = 8;                       // an answer may be somewhat longer than the right one before it is cut

    private readonly BestModelMetric _metric;
    private readonly LlamaTokenizer _tokenizer;
    private readonly int _concurrency;
    private readonly List<(int[] Prompt, string Answer, int Tokens)> _questions = [];

    /// <param name="metric">Which one; not the loss, which needs no answers.</param>
    /// <param name="rows">The validation rows.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="concurrency">How many answers are generated at once; at least 1.</param>
    /// <exception cref="UsageException">No row has a prompt and an answer.</exception>
    public AnswerMetric(BestModelMetric metric, FileTrainingData rows, LlamaTokenizer tokenizer, int concurrency)
    {
        (_metric, _tokenizer, _concurrency) = (metric, tokenizer, concurrency);
        foreach (TrainingSequence sequence in rows.Read(epoch: 0))
        {
            int start = 0;
            foreach (int length in sequence.SegmentLengths.Span)
            {
                AddQuestion(sequence.Tokens.Span.Slice(start, length), sequence.InLoss.Span.Slice(start, length));
                start += length;
            }
        }

        if (_questions.Count == 0)
        {
            throw new UsageException("No validation row has a prompt and an answer, so there is nothing to measure but the loss.");
        }
    }

    public static (string Name, BestModelMetric Value)[] Names { get; } =
    [
        ("loss", BestModelMetric.Loss), ("accuracy", BestModelMetric.Accuracy), ("exact", BestModelMetric.Exact), ("f1_macro", BestModelMetric.F1Macro),
        ("precision_macro", BestModelMetric.PrecisionMacro), ("recall_macro", BestModelMetric.RecallMacro), ("mcc", BestModelMetric.MatthewsCorrelation),
        ("rouge1", BestModelMetric.Rouge1), ("rouge2", BestModelMetric.Rouge2), ("rougeL", BestModelMetric.RougeL), ("rougeLsum", BestModelMetric.RougeLsum),
    ];

    public static string NameOf(BestModelMetric metric) => Names.First(name => name.Value == metric).Name;

    /// <summary>Generates every answer and measures them; called between two steps.</summary>
    public double Measure(TrainableModel model)
    {
        // The copy is as small as the base that is trained, and reads the weights once.
        WeightFormat? format = model.Options.BaseFormat == WeightFormat.F32 ? null : model.Options.BaseFormat;
        using LlamaModel running = LlamaModel.Load(model.AsCheckpoint(_tokenizer), new() { Threads = model.Options.Threads, WeightFormat = format });
        string[] answers = new string[_questions.Count];
        Parallel.For(0, answers.Length, new() { MaxDegreeOfParallelism = _concurrency }, i => answers[i] = Answer(running, i));
        return Score(answers);
    }

    private void AddQuestion(ReadOnlySpan<int> tokens, ReadOnlySpan<bool> inLoss)
    {
        int end = inLoss.LastIndexOf(true) + 1, start = inLoss[..end].LastIndexOf(false) + 1;
        ReadOnlySpan<int> answer = tokens[start..end];
        answer = answer is [.., int last] && last == _tokenizer.EndOfTextId ? answer[..^1] : answer;
        if (start > 0 && !answer.IsEmpty)
        {
            _questions.Add((tokens[..start].ToArray(), _tokenizer.Decode(answer).Trim(), answer.Length));
        }
    }

    private string Answer(LlamaModel model, int index)
    {
        (int[] prompt, _, int tokens) = _questions[index];
        var options = new GenerationOptions
        {
            DoSample = false,
            MaxNewTokens = Math.Min(2 * tokens + SpareTokens, model.ContextLength - prompt.Length),
        };
        return model.Engine.GenerateAsync(prompt, options).Select(update => update.Text).ToBlockingEnumerable().Aggregate("", string.Concat).Trim();
    }

    private double Score(string[] answers)
    {
        if (_metric >= BestModelMetric.Rouge1)
        {
            var texts = new TextGenerationAccumulator(new() { Metrics = [NameOf(_metric)] });
            for (int i = 0; i < answers.Length; i++)
            {
                texts.Add(_questions[i].Answer, answers[i]);
            }

            return texts.Scores()[NameOf(_metric)];
        }

        var labels = new ClassificationAccumulator([.. _questions.Select(question => question.Answer).Distinct().Order(StringComparer.Ordinal)]);
        for (int i = 0; i < answers.Length; i++)
        {
            labels.Add(_questions[i].Answer, answers[i]);
        }

        ClassificationMetrics metrics = labels.Compute();
        return _metric switch
        {
            BestModelMetric.F1Macro => metrics.Macro.F1,
            BestModelMetric.PrecisionMacro => metrics.Macro.Precision,
            BestModelMetric.RecallMacro => metrics.Macro.Recall,
            BestModelMetric.MatthewsCorrelation => metrics.MatthewsCorrelation,
            _ => metrics.Accuracy,
        };
    }
}
