using System.CommandLine;
using System.Numerics;
using System.Text.Json;

namespace Llama2.Cli.Commands;

/// <summary>Ids to logits, for scripts: each line is a sequence of its own.</summary>
internal sealed class LogitsCommand : Command
{
    private readonly ModelArguments _model = new();

    public LogitsCommand(Terminal terminal)
        : base("logits", "Filter: {\"input_ids\", \"positions\"?} → {\"logits\"}: a row for each position, or for all. The ids are taken as they are, begin of text included; " +
            $"a line longer than the context that the model was trained for is run all the same, with one warning. {JsonLines.Contract}")
    {
        _model.AddTo(this);
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        LlamaModelOptions options = _model.Bind(parse);
        bool fixedContext = options.ContextLength is not null;
        LlamaModel model = await _model.LoadAsync(parse, options, terminal, cancellationToken);
        try
        {
            return await JsonLines.RunAsync(
                terminal,
                (line, answer) =>
                {
                    int[] ids = line.Ids("input_ids");
                    if (ids.Length > model.ContextLength && !fixedContext)
                    {
                        Enlarge(ids.Length);
                    }

                    Write(model, ids, Positions(line, ids.Length), answer);
                },
                cancellationToken);
        }
        finally
        {
            model.Dispose();
        }

        // The context is chosen at load; loading again is cheap where the weights stay mapped, and happens at most a few times.
        void Enlarge(int length)
        {
            if (options.ContextLength is null)
            {
                ModelArguments.WarnOfContext(terminal, length, model.Config);
            }

            options.ContextLength = (int)Math.Min(int.MaxValue, BitOperations.RoundUpToPowerOf2((uint)length));
            LlamaModel larger = LlamaModel.Load(_model.Path(parse), options);
            model.Dispose();
            model = larger;
        }
    }

    private static IReadOnlyList<int> Positions(JsonElement line, int length)
    {
        if (!line.TryGetProperty("positions", out _))
        {
            return [.. Enumerable.Range(0, length)];
        }

        int[] positions = line.Ids("positions");
        foreach (int position in positions)
        {
            if (position < 0 || position >= length)
            {
                throw new FormatException($"\"positions\": {position} is outside of {length} ids.");
            }
        }

        return positions;
    }

    private static void Write(LlamaModel model, int[] ids, IReadOnlyList<int> positions, Utf8JsonWriter answer)
    {
        int vocabulary = model.Config.VocabularySize;
        float[] logits = new float[checked(ids.Length * vocabulary)];              // [position, vocabulary]
        using KeyValueCache cache = model.Backend.CreateCache();
        var batch = new LlamaBatch();
        batch.Add(cache, ids, LogitRows.All);
        model.Backend.Forward(batch, logits);

        answer.WriteStartArray("logits");
        foreach (int position in positions)
        {
            answer.WriteStartArray();
            foreach (float logit in logits.AsSpan(position * vocabulary, vocabulary))
            {
                answer.WriteNumberValue(logit);
            }

            answer.WriteEndArray();
        }

        answer.WriteEndArray();
    }
}
