using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>Turns the updates of one generation into those of a chat answer. Not thread-safe; one per request.</summary>
/// <remarks>
/// What the abstractions have no place for stands in the last update's <see cref="ChatResponseUpdate.AdditionalProperties"/>:
/// <c>FinishReason</c> (stop, length; the key that Semantic Kernel reads), <c>finish_reason</c> (stop, stop_sequence, length),
/// <c>stop_sequence</c>, <c>timings</c>, <c>effective_settings</c>, <c>prompt_logprobs</c>, and where something was left out
/// <c>dropped_messages</c> and <c>dropped_prompt_tokens</c>. <c>logprobs</c> stands in each update, and in the last one for the whole answer.
/// </remarks>
internal sealed class ChatUpdateBuilder(string modelId, DateTimeOffset createdAt, ChatPlan plan, GenerationOptions options)
{
    private readonly bool _dropsSpaces = options.ReturnFullText is not true && options.Constraint is null or { Kind: GenerationConstraintKind.Tools, Answer: null };
    private readonly ToolCallReader? _calls = options.Constraint?.Kind == GenerationConstraintKind.Tools ? new() : null;
    private readonly string _messageId = Guid.NewGuid().ToString("N");
    private string? _promptText = options.ReturnFullText is true ? plan.Prompt.Text : null;
    private bool _begun;

    public string ResponseId { get; } = $"llama2-{Guid.NewGuid():N}";

    /// <summary>The next update of the answer; null while there is nothing to tell.</summary>
    public ChatResponseUpdate? Next(GenerationUpdate generated)
    {
        string text = Text(generated, out List<FunctionCallContent> calls);
        if (text.Length == 0 && generated.LogProbabilities is null && generated.Result is null)
        {
            return null;
        }

        var update = new ChatResponseUpdate(ChatRole.Assistant, text.Length > 0 ? text : null)
        {
            ResponseId = ResponseId,
            MessageId = _messageId,
            ModelId = modelId,
            CreatedAt = createdAt,
            RawRepresentation = generated,
        };
        if (generated.LogProbabilities is { } scores)
        {
            update.AdditionalProperties = new() { ["logprobs"] = scores };
        }

        if (generated.Result is { } result)
        {
            update.FinishReason = Reason(result) == ChatFinishReason.Stop && calls.Count > 0 ? ChatFinishReason.ToolCalls : Reason(result);
            calls.ForEach(update.Contents.Add);
            update.Contents.Add(new UsageContent(Usage(result.Usage)));
            update.AdditionalProperties = Summary(result, update.FinishReason.Value, options.ReturnFullText is true, plan.DroppedMessages.Count, plan.DroppedTokens);
        }

        return update;
    }

    /// <summary>
    /// The text to show: an answer begins without the space that follows the prompt, unless the prompt itself is shown. A constrained one is as it is.
    /// </summary>
    private string Text(GenerationUpdate generated, out List<FunctionCallContent> calls)
    {
        calls = [];
        string text = _calls is null ? generated.Text : _calls.Append(generated.Text);
        if (_calls is not null && generated.Result is { } result)
        {
            text += _calls.Complete(isWhole: result.FinishReason == GenerationFinishReason.Stop, out calls);
        }

        if (!_begun)
        {
            text = _dropsSpaces ? text.TrimStart(' ') : text;
            _begun = text.Length > 0;
        }

        if (_promptText is not null && (text.Length > 0 || generated.Result is not null))
        {
            text = _promptText + text;
            _promptText = null;
        }

        return text;
    }

    internal static ChatFinishReason Reason(GenerationResult result) =>
        result.FinishReason == GenerationFinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;

    internal static UsageDetails Usage(GenerationUsage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = (long)usage.PromptTokens + usage.CompletionTokens,
        CachedInputTokenCount = usage.CachedPromptTokens,
    };

    /// <summary>What stands beside the last piece of a text, a chat's or a plain one's.</summary>
    internal static AdditionalPropertiesDictionary Summary(
        GenerationResult result, ChatFinishReason reason, bool returnFullText, int droppedMessages = 0, int droppedTokens = 0)
    {
        var summary = new AdditionalPropertiesDictionary
        {
            ["FinishReason"] = reason.Value,
            ["finish_reason"] = result.FinishReason == GenerationFinishReason.StopSequence ? "stop_sequence" : reason.Value,
            ["timings"] = Timings(result),
            ["effective_settings"] = new AdditionalPropertiesDictionary(
                GenerationSetting.Describe(result.EffectiveOptions with { ReturnFullText = returnFullText })),
        };
        Add("stop_sequence", result.StopSequence);
        Add("logprobs", result.LogProbabilities);
        Add("prompt_logprobs", result.PromptLogProbabilities);
        Add("dropped_messages", droppedMessages > 0 ? droppedMessages : null);
        droppedTokens += result.DroppedPromptTokens;
        Add("dropped_prompt_tokens", droppedTokens > 0 ? droppedTokens : null);
        return summary;

        void Add(string name, object? value)
        {
            if (value is not null)
            {
                summary[name] = value;
            }
        }
    }

    private static AdditionalPropertiesDictionary Timings(GenerationResult result)
    {
        (TimeSpan queue, TimeSpan prefill, TimeSpan firstToken, TimeSpan decode, int drafted, int accepted) = result.Timings;
        var timings = new AdditionalPropertiesDictionary
        {
            ["queue_ms"] = queue.TotalMilliseconds,
            ["prefill_ms"] = prefill.TotalMilliseconds,
            ["first_token_ms"] = firstToken.TotalMilliseconds,
            ["decode_ms"] = decode.TotalMilliseconds,
            ["drafted_tokens"] = drafted,
            ["accepted_tokens"] = accepted,
        };
        if (result.Usage.CompletionTokens > 1 && decode > TimeSpan.Zero)
        {
            timings["tokens_per_second"] = (result.Usage.CompletionTokens - 1) / decode.TotalSeconds;      // the first token belongs to the prefill
        }

        return timings;
    }
}
