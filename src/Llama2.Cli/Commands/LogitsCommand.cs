using System.CommandLine;
using System.Numerics;
using System.Text.Json;

namespace Llama2.Cli;

/// <summary>Ids to logits, for scripts: each line is a sequence of its own.</summary>
internal sealed class LogitsCommand : Command
{
    private const string Details = """
        The answer has one row of logits for each position asked for, by default for all. Each line is a sequence of its own; its ids are taken as
        they are, begin of text included. A line longer than the context that the model was trained for runs all the same, with one warning.

        """ + JsonLines.Contract;

    private readonly ModelArguments _model = new();

    public LogitsCommand(Terminal terminal)
        : base("logits", "Turns {\"input_ids\", \"positions\"?} into {\"logits\"}, line by line.")
    {
        _model.AddTo(this);
        Add(HelpWithDetails.Option(Details));
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        LlamaModelOptions options = _model.Bind(parse);
        (options.BatchTokens, options.PrefixCacheBytes) = (int.MaxValue, 0);      // a line in one pass, as dynamic rope scaling wants it
        bool fixedContext = options.ContextLength is not null;
        LlamaModel model = await _model.LoadAsync(parse, options, terminal, cancellationToken);
        try
        {
            return await JsonLines.RunAsync(
                terminal,
                (line, answer) =>
                {
                    int[] ids = line.Ids("input_ids") is { Length: > 0 } some ? some : throw new FormatException("\"input_ids\" is empty.");
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

        // The context is chosen at load; loading again happens at most a few times.
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

    private static int[] Positions(JsonElement line, int length)
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

    private static void Write(LlamaModel model, int[] ids, int[] positions, Utf8JsonWriter answer)
    {
        // All rows unless the last one alone is asked for: both read the line in one pass. One line at a time, so nobody else waits.
        int[]? wanted = positions is [int only] && only == ids.Length - 1 ? positions : null;
        float[][] logits = model.Engine.GetLogitsAsync(ids, wanted).GetAwaiter().GetResult();

        answer.WriteStartArray("logits");
        foreach (int position in positions)
        {
            answer.WriteStartArray();
            foreach (float logit in logits[wanted is null ? position : 0])
            {
                answer.WriteNumberValue(logit);
            }

            answer.WriteEndArray();
        }

        answer.WriteEndArray();
    }
}
