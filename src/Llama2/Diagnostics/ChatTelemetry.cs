using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Llama2;

/// <summary>The span and the client metrics of one chat request; not thread-safe.</summary>
/// <remarks>Dispose ends it: one that was neither completed nor failed was given up by its reader, which counts as cancelled.</remarks>
internal sealed class ChatTelemetry : IDisposable
{
    private static readonly JsonWriterOptions _json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };      // for people, never for HTML

    private readonly string _modelId;
    private readonly bool _enableSensitiveData;
    private readonly Activity? _activity;
    private readonly long _start = Stopwatch.GetTimestamp();
    private string? _error = typeof(OperationCanceledException).FullName;

    private ChatTelemetry(string modelId, bool enableSensitiveData, Activity? activity) =>
        (_modelId, _enableSensitiveData, _activity) = (modelId, enableSensitiveData, activity);

    /// <summary>The span, if somebody listens; whoever yields between its start and end sets <see cref="Activity.Current"/> to it again.</summary>
    public Activity? Activity => _activity;

    /// <summary>Begins a request.</summary>
    /// <param name="modelId">The model.</param>
    /// <param name="options">The settings as requested: what is null was not set and is not reported.</param>
    /// <param name="messages">The conversation.</param>
    /// <param name="enableSensitiveData">Whether the texts may appear.</param>
    /// <returns><see langword="null"/> where nobody listens.</returns>
    public static ChatTelemetry? Start(string modelId, GenerationOptions options, IEnumerable<ChatMessage> messages, bool enableSensitiveData)
    {
        if (!LlamaTelemetry.Source.HasListeners() && !LlamaTelemetry.OperationDuration.Enabled && !LlamaTelemetry.TokenUsage.Enabled)
        {
            return null;
        }

        Activity? activity = LlamaTelemetry.Source.StartActivity($"chat {modelId}", ActivityKind.Internal);
        if (activity is { IsAllDataRequested: true })
        {
            Describe(activity, modelId, options);
            if (enableSensitiveData)
            {
                activity.SetTag("gen_ai.input.messages", Json(messages.Select(message => (message.Role.Value, message.Text)), finishReason: null));
            }
        }

        return new(modelId, enableSensitiveData, activity);
    }

    /// <summary>Ends with an answer.</summary>
    /// <param name="result">The generation.</param>
    /// <param name="responseId">The id that the caller sees.</param>
    public void Complete(GenerationResult result, string? responseId)
    {
        _error = null;
        Report(result, responseId);
    }

    /// <summary>Ends with an error; a cancelled generation still reports what there was by then.</summary>
    /// <param name="exception">The error.</param>
    public void Fail(Exception exception)
    {
        _error = exception.GetType().FullName;
        _activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
        if (exception is GenerationCanceledException cancelled)
        {
            Report(cancelled.Result, responseId: null);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (LlamaTelemetry.OperationDuration.Enabled)
        {
            TagList tags = Tags();
            if (_error is not null)
            {
                tags.Add("error.type", _error);
            }

            LlamaTelemetry.OperationDuration.Record(Stopwatch.GetElapsedTime(_start).TotalSeconds, tags);
        }

        if (_error is not null)
        {
            _activity?.SetTag("error.type", _error);
        }

        _activity?.Dispose();
    }

    private static void Describe(Activity activity, string modelId, GenerationOptions options)
    {
        activity.SetTag("gen_ai.operation.name", "chat");
        activity.SetTag("gen_ai.provider.name", LlamaTelemetry.ProviderName);
        activity.SetTag("gen_ai.request.model", modelId);
        activity.SetTag("gen_ai.output.type", (options.Constraint?.Answer ?? options.Constraint)?.Kind is GenerationConstraintKind.Json or GenerationConstraintKind.JsonSchema ? "json" : "text");
        Set("gen_ai.request.temperature", (double?)options.Temperature);
        Set("gen_ai.request.top_p", (double?)options.TopP);
        Set("gen_ai.request.top_k", options.TopK);
        Set("gen_ai.request.max_tokens", options.MaxNewTokens);
        Set("gen_ai.request.seed", options.Seed);
        Set("gen_ai.request.presence_penalty", (double?)options.PresencePenalty);
        Set("gen_ai.request.frequency_penalty", (double?)options.FrequencyPenalty);
        Set("gen_ai.request.stop_sequences", options.StopSequences?.ToArray());

        void Set(string name, object? value)
        {
            if (value is not null)
            {
                activity.SetTag(name, value);
            }
        }
    }

    private void Report(GenerationResult result, string? responseId)
    {
        if (LlamaTelemetry.TokenUsage.Enabled)
        {
            TagList input = Tags(), output = Tags();
            input.Add("gen_ai.token.type", "input");
            output.Add("gen_ai.token.type", "output");
            LlamaTelemetry.TokenUsage.Record(result.Usage.PromptTokens, input);
            LlamaTelemetry.TokenUsage.Record(result.Usage.CompletionTokens, output);
        }

        if (_activity is not { IsAllDataRequested: true })
        {
            return;
        }

        string reason = LlamaTelemetry.Name(result.FinishReason);
        _activity.SetTag("gen_ai.response.model", _modelId);
        _activity.SetTag("gen_ai.response.id", responseId);
        _activity.SetTag("gen_ai.response.finish_reasons", new[] { reason });
        _activity.SetTag("gen_ai.usage.input_tokens", result.Usage.PromptTokens);
        _activity.SetTag("gen_ai.usage.cache_read.input_tokens", result.Usage.CachedPromptTokens);
        _activity.SetTag("gen_ai.usage.output_tokens", result.Usage.CompletionTokens);
        if (_enableSensitiveData)
        {
            _activity.SetTag("gen_ai.output.messages", Json([(ChatRole.Assistant.Value, result.Text)], reason));
        }
    }

    private TagList Tags() => new()
    {
        { "gen_ai.operation.name", "chat" },
        { "gen_ai.provider.name", LlamaTelemetry.ProviderName },
        { "gen_ai.request.model", _modelId },
        { "gen_ai.response.model", _modelId },
    };

    /// <summary>Messages in the conventions' form: <c>[{"role": …, "parts": [{"type": "text", "content": …}]}]</c>.</summary>
    private static string Json(IEnumerable<(string Role, string Text)> messages, string? finishReason)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, _json))
        {
            writer.WriteStartArray();
            foreach ((string role, string text) in messages)
            {
                writer.WriteStartObject();
                writer.WriteString("role", role);
                writer.WriteStartArray("parts");
                writer.WriteStartObject();
                writer.WriteString("type", "text");
                writer.WriteString("content", text);
                writer.WriteEndObject();
                writer.WriteEndArray();
                if (finishReason is not null)
                {
                    writer.WriteString("finish_reason", finishReason);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
