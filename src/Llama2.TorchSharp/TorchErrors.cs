using System.Runtime.InteropServices;

namespace Llama2.TorchSharp;

/// <summary>libtorch throws texts; callers get types.</summary>
internal static class TorchErrors
{
    // Of the CUDA allocator, of the CPU's on Linux and on Windows, and of sizes beyond 64 bits.
    private static readonly string[] _outOfMemory = ["out of memory", "can't allocate memory", "not enough memory", "Storage size calculation overflowed"];

    public static bool IsOutOfMemory(Exception exception) =>
        exception is ExternalException && _outOfMemory.Any(text => exception.Message.Contains(text, StringComparison.OrdinalIgnoreCase));

    /// <param name="device">The device.</param>
    /// <param name="what">What did not fit, such as <c>The weights (13.5 GB)</c>.</param>
    /// <param name="advice">What to do about it.</param>
    /// <param name="exception">libtorch's own.</param>
    public static InsufficientMemoryException OutOfMemory(string device, string what, string advice, Exception exception) =>
        new($"{what} did not fit into the memory of {device}. {advice} libtorch says: {FirstLine(exception.Message)}", exception);

    private static string FirstLine(string message) => message.Split('\n')[0].Trim();
}
